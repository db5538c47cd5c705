//! Signatures of requests (AWS Signature Version 4) and of ID tokens.

use arbitrary::Arbitrary;
use auth_token::JWT_LEEWAY;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contract_notifications_v1::Timestamp;
use shared_telemetry::chain;
use tidings_identity::jwt::{ID_TOKEN_LIFETIME, JwtIssuer, JwtSubject};
use tidings_identity::secrets::{AccessKey, AccessKeyId, Key256};
use tidings_identity::sigv4::{RequestParts, SigV4Error, verify};

use crate::any_notification::Identifier;
use crate::input::{Verdict, decode};
use crate::text::{require_bounded, require_hidden};

const SECRET: &str = "MARKER/OF/THE/SECRET/MARKER/OF/THE/SECRE";
const ACCESS_KEY: &str = "TDGSAAAAAAAAAAAAAAAA";
/// The present time: 2026-03-01T12:00:00Z.
const NOW: Timestamp = Timestamp::from_millis(1_772_366_400_000);

#[derive(Debug, Arbitrary)]
enum Input {
    Request {
        method: Method,
        path: String,
        query: String,
        headers: Vec<(Header, Vec<u8>)>,
    },
    /// A request with a well-formed signature.
    Formed {
        presigned: bool,
        time: Option<String>,
        scope: Option<String>,
        names: Option<String>,
        signature: [u8; 32],
    },
    Token(String),
    /// Parts of a token, before their encoding.
    Parts {
        header: String,
        claims: String,
        signature: Vec<u8>,
    },
    /// A valid token at some time, and the same with one byte changed.
    Changed {
        subject: Identifier,
        name: String,
        issued_at: u32,
        later: u16,
        place: u16,
        byte: u8,
        other_key: bool,
    },
}

#[derive(Debug, Arbitrary)]
enum Method {
    Get,
    Post,
    Other(String),
}

#[derive(Debug, Arbitrary)]
enum Header {
    Authorization,
    Date,
    Host,
    BodyHash,
    SecurityToken,
    Other(String),
}

/// Verifies signatures: only the right key's are accepted, and no text shows a key.
pub fn signature(bytes: &[u8]) -> Verdict {
    decode(bytes, check)
}

fn check(input: Input) {
    match input {
        Input::Request { method, path, query, headers } => {
            let method = match &method {
                Method::Get => "GET",
                Method::Post => "POST",
                Method::Other(name) => name.as_str(),
            };
            let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
            check_request(&RequestParts { method, path: &path, query: &query, headers });
        }
        Input::Formed { presigned, time, scope, names, signature } => {
            check_formed(presigned, time.as_deref(), scope.as_deref(), names.as_deref(), signature);
        }
        Input::Token(token) => check_refused(&token),
        Input::Parts { header, claims, signature } => {
            let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
            check_refused(&format!(
                "{}.{}.{}",
                part(header.as_bytes()),
                part(claims.as_bytes()),
                part(&signature)
            ));
        }
        Input::Changed { subject, name, issued_at, later, place, byte, other_key } => {
            let issued_at = Timestamp::from_millis(u64::from(issued_at) * 1_000);
            check_changed(&subject, &name, issued_at, later.into(), (place.into(), byte), other_key);
        }
    }
}

impl Header {
    fn as_str(&self) -> &str {
        match self {
            Self::Authorization => "authorization",
            Self::Date => "x-amz-date",
            Self::Host => "host",
            Self::BodyHash => "x-amz-content-sha256",
            Self::SecurityToken => "x-amz-security-token",
            Self::Other(name) => name,
        }
    }
}

fn access_key() -> AccessKey {
    let id = AccessKeyId::new(ACCESS_KEY).expect("the id is valid");
    AccessKey::new(id, SECRET.to_owned()).expect("the secret is valid")
}

/// A request that was not signed with the key is refused. Returns the error.
fn check_request(parts: &RequestParts<'_>) -> SigV4Error {
    let error = verify(&access_key(), parts, &[0; 32], NOW).expect_err("it was not signed");
    assert!(parts.is_signed() || error == SigV4Error::NotSigned, "{error}");
    require_hidden(&format!("{error} {error:?} {:?}", access_key()), SECRET);
    error
}

fn check_formed(
    presigned: bool,
    time: Option<&str>,
    scope: Option<&str>,
    names: Option<&str>,
    signature: [u8; 32],
) {
    let signature = hex::encode(signature);
    let is_right = time.is_none() && scope.is_none() && names.is_none();
    let time = time.unwrap_or("20260301T120000Z");
    let scope = scope.unwrap_or("20260301/eu-central-1/execute-api/aws4_request");
    let names = names.unwrap_or(if presigned { "host" } else { "host;x-amz-date" });
    let error = if presigned {
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={ACCESS_KEY}/{scope}&X-Amz-Date={time}\
             &X-Amz-Expires=60&X-Amz-SignedHeaders={names}&X-Amz-Signature={signature}"
        );
        check_request(&RequestParts {
            method: "GET",
            path: "/ws",
            query: &query,
            headers: vec![("host", b"h")],
        })
    } else {
        let header = format!(
            "AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, SignedHeaders={names}, Signature={signature}"
        );
        let headers = vec![
            ("host", b"h".as_slice()),
            ("x-amz-date", time.as_bytes()),
            ("authorization", header.as_bytes()),
        ];
        check_request(&RequestParts { method: "POST", path: "/v1/notifications", query: "", headers })
    };
    assert!(!is_right || error == SigV4Error::Mismatch, "only the signature is wrong: {error}");
}

fn issuer(seed: u8) -> JwtIssuer {
    JwtIssuer::new(&Key256::from_bytes([seed; 32]), "tidings", "tidings")
        .expect("a key can be made from any seed")
}

fn check_refused(token: &str) {
    let error = issuer(7).verify(token, NOW).expect_err("it was not signed");
    let shown = format!("{} {error:?}", chain(&error));
    if let Some((_, signature)) =
        token.rsplit_once('.').filter(|(rest, part)| part.len() >= 16 && !rest.contains(part))
    {
        require_hidden(&shown, signature);
    }
}

fn check_changed(
    subject: &Identifier,
    name: &str,
    issued_at: Timestamp,
    later: u64,
    (place, byte): (usize, u8),
    other_key: bool,
) {
    let issuer = issuer(7);
    let subject = JwtSubject { user_id: subject.user(), username: name.to_owned() };
    let token = issuer.issue(subject.clone(), issued_at).expect("a token can be signed").token;
    let now = Timestamp::from_millis(issued_at.millis() + later * 1_000);
    let verified = issuer.verify(&token, now);
    let is_in_time = later < ID_TOKEN_LIFETIME.as_secs() + JWT_LEEWAY.as_secs();
    assert_eq!(verified.is_ok(), is_in_time, "{verified:?}");
    if let Ok(verified) = verified {
        let JwtSubject { user_id, username } = subject;
        assert_eq!((verified.user_id, verified.username.unwrap_or_default()), (user_id, username));
    }
    if other_key {
        assert!(self::issuer(8).verify(&token, now).is_err(), "another key's token is accepted");
    }
    let mut bytes = token.clone().into_bytes();
    let place = place % bytes.len();
    bytes[place] = byte;
    if let Ok(other) = String::from_utf8(bytes)
        && other != token
    {
        let error = issuer.verify(&other, now).expect_err("an altered token is accepted");
        require_bounded(&chain(&error));
    }
}
