//! A WebSocket handshake: its query and headers as the server reads them, the credentials in them, and the
//! authorizer's decision.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arbitrary::Arbitrary;
use auth_token::ports::{KeySets, Secret, SecretVersions, Secrets, TokenStore};
use auth_token::{
    Adapters, Authorizer, AuthorizerConfig, Handshake, HmacConfig, Issuer, IssuerConfig, JwtConfig,
    MAX_CREDENTIAL_BYTES, MAX_JWT_BYTES, Methods, Ports, Reason, Status, Subject,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contract_identity_v1::{AuthenticationMethod, TokenRow};
use contract_notifications_v1::{Timestamp, UserId};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use shared_ports::{Clock, PortError};
use shared_telemetry::chain;
use tidings_gateway::server::fuzz_api;
use tidings_identity::cipher::LocalCipher;
use tidings_identity::jwt::{JwtIssuer, JwtSubject};
use tidings_identity::secrets::Key256;

use crate::input::{Verdict, decode};
use crate::text::{require_bounded, require_hidden};

#[derive(Debug, Arbitrary)]
enum Input {
    /// An arbitrary query.
    Raw { query: String, protocols: Vec<Vec<u8>> },
    /// Places for connect tokens and client ids.
    Parts { token: bool, open: bool, query: Vec<(Name, Value)>, protocols: Vec<Value>, headers: Vec<Value> },
    /// Credentials of every method in any place, together.
    Any { origins: bool, query: Vec<(Place, Proof)>, protocols: Vec<Proof>, headers: Vec<(Field, Proof)> },
}

/// A parameter of the query.
#[derive(Debug, Arbitrary)]
enum Place {
    Token,
    AccessToken,
    Authorization,
    ClientId,
}

/// A header, in upper, lower or mixed case.
#[derive(Debug, Arbitrary)]
enum Field {
    Authorization,
    Cookie { name: u8, quoted: bool },
    Origin { ours: bool },
    Session,
    DateTime,
    Signature,
}

/// The content of a place.
#[derive(Debug, Arbitrary)]
enum Proof {
    /// A valid JSON Web Token.
    Jwt {
        bearer: bool,
    },
    /// A valid JSON Web Token with one byte replaced.
    Altered {
        at: u16,
        to: u8,
    },
    /// A header and claims without a signature.
    Unsigned {
        header: String,
        claims: String,
    },
    Session,
    DateTime,
    /// A valid signature.
    Signature,
    Oversized,
    Text(String),
}

#[derive(Debug, Arbitrary)]
enum Name {
    Token,
    ClientId,
    Other(String),
}

#[derive(Debug, Arbitrary)]
enum Value {
    Good,
    /// A well-formed token that was never issued.
    Forged,
    Oversized,
    Empty,
    Text(String),
}

/// A clock that always shows 2026-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy)]
struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_767_225_600_000)
    }

    async fn sleep(&self, _: Duration) {}
}

#[derive(Debug, Clone, Default)]
struct Tokens(Arc<Mutex<HashMap<String, TokenRow>>>);

impl TokenStore for Tokens {
    async fn put(&self, row: TokenRow) -> Result<(), PortError> {
        self.0.lock().expect("no thread has panicked").insert(row.token_hash.clone(), row);
        Ok(())
    }

    async fn take(&self, token_hash: &str) -> Result<Option<TokenRow>, PortError> {
        Ok(self.0.lock().expect("no thread has panicked").remove(token_hash))
    }

    async fn claim(&self, row: TokenRow) -> Result<bool, PortError> {
        Ok(self.0.lock().expect("no thread has panicked").insert(row.token_hash.clone(), row).is_none())
    }
}

/// A source of key sets that must not be asked.
#[derive(Debug, Clone, Copy)]
struct NoKeySets;

impl KeySets for NoKeySets {
    async fn fetch(&self, _: &str) -> Result<Vec<u8>, PortError> {
        panic!("no issuer publishes its keys")
    }
}

#[derive(Debug, Clone, Copy)]
struct OneSecret;

const HMAC_SECRET: &str = "the secret of signed handshakes";
const SESSION: &str = "session-1";
/// The present time in the clients' format.
const DATE_TIME: &str = "2026-01-01T00:00:00.000Z";
/// HMAC-SHA256 of `session-1:2026-01-01T00:00:00.000Z` with the secret.
const SIGNATURE: &str = "925018bd40bb0acd0851f7b8560782d69434e7686403f777de6e9f392385873d";
const ORIGIN: &str = "https://app.example.com";

impl Secrets for OneSecret {
    async fn read(&self, _: &str) -> Result<SecretVersions, PortError> {
        Ok(SecretVersions {
            current: Secret::new(HMAC_SECRET).expect("the secret is not empty"),
            previous: None,
        })
    }
}

struct Fakes;

impl Adapters for Fakes {
    type Cipher = LocalCipher;
    type Store = Tokens;
    type KeySets = NoKeySets;
    type Secrets = OneSecret;
    type Clock = Now;
}

type Gateway = Authorizer<Fakes>;

fn gateway(cipher: LocalCipher, store: Tokens, config: AuthorizerConfig) -> Gateway {
    Authorizer::new(Ports { cipher, store, key_sets: NoKeySets, secrets: OneSecret, clock: Now }, config)
}

/// Reads a handshake and authorizes it: only valid credentials are accepted, and no text shows one.
pub fn handshake(bytes: &[u8]) -> Verdict {
    decode(bytes, |input: Input| match input {
        Input::Any { origins, query, protocols, headers } => {
            check_any(origins, &query, &protocols, &headers);
        }
        Input::Raw { query, protocols } => check_raw(&query, &protocols),
        Input::Parts { token, open, query, protocols, headers } => {
            check_parts(Methods { token, open, ..Methods::NONE }, &query, &protocols, &headers);
        }
    })
}

fn check_raw(query: &str, protocols: &[Vec<u8>]) {
    let Ok(uri) = format!("/ws?{query}").parse::<Uri>() else { return };
    let mut headers = HeaderMap::new();
    for value in protocols.iter().filter_map(|bytes| HeaderValue::from_bytes(bytes).ok()) {
        headers.append("sec-websocket-protocol", value);
    }
    let Ok(handshake) = fuzz_api::handshake(&uri, &headers) else { return };
    for offer in &handshake.subprotocols {
        assert!(!offer.is_empty() && offer.trim() == offer && !offer.contains(','), "{offer:?}");
    }
    // Parameter names are shown and may be as long as the query, so the text is not bounded.
    let _ = format!("{handshake:?}");
}

fn check_parts(methods: Methods, query: &[(Name, Value)], protocols: &[Value], headers: &[Value]) {
    let (cipher, tokens) = (LocalCipher::new(&Key256::from_bytes([7; 32])), Tokens::default());
    let issuer = Issuer::new(cipher.clone(), tokens.clone(), Now, IssuerConfig::new("tidings", "tidings"));
    let user_id = UserId::new("alice").expect("the id is valid");
    let subject = Subject {
        user_id,
        username: String::new(),
        hubs: Vec::new(),
        credential_expires_at: None,
        source_key: None,
        source_token: None,
    };
    let good =
        issuer.issue(subject).now_or_never().expect("the future is ready").expect("a token is issued").token;
    // The same token with another end was never issued.
    let forged = [&good[..good.len() - 4], "AAAA"].concat();
    let value = |value: &Value| match value {
        Value::Good => good.clone(),
        Value::Forged => forged.clone(),
        Value::Oversized => "t".repeat(MAX_CREDENTIAL_BYTES + 1),
        Value::Empty => String::new(),
        Value::Text(text) => text.clone(),
    };

    let query: Vec<_> = query
        .iter()
        .map(|(name, text)| {
            let name = match name {
                Name::Token => "token".to_owned(),
                Name::ClientId => "client_id".to_owned(),
                Name::Other(text) => text.clone(),
            };
            (name, value(text))
        })
        .collect();
    // A header value that is not visible ASCII does not reach the server as text.
    let printable =
        |text: String| text.chars().filter(|c| c.is_ascii_graphic() && *c != ',').collect::<String>();
    let offers: Vec<_> = protocols.iter().map(|offer| format!("token.{}", printable(value(offer)))).collect();
    let others: Vec<_> = headers.iter().map(|text| printable(value(text))).collect();
    let Some(handshake) = read(&query, &offers, &others) else { return };
    assert_eq!(handshake.query, query, "the query is read as it was written");
    assert_eq!(handshake.subprotocols, offers);
    let shown = format!("{handshake:?}");
    if !query.iter().any(|(name, _)| name.contains(&good)) {
        require_hidden(&shown, &good);
    }

    let config = AuthorizerConfig { methods, ..AuthorizerConfig::new("tidings", "tidings") };
    let authorizer = gateway(cipher, tokens, config);
    let authorize = || authorizer.authorize(&handshake).now_or_never().expect("the future is ready");
    let candidates = |on: bool, name: &str, offers: &[String]| -> BTreeSet<String> {
        let values = query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let offers = offers.iter().filter_map(|offer| offer.strip_prefix("token."));
        values.chain(offers).filter(|text| on && !text.is_empty()).map(str::to_owned).collect()
    };
    let by_token = candidates(methods.token, "token", &offers);
    let by_word = candidates(methods.open, "client_id", &[]);
    let outcome = authorize();
    let found = if by_token.is_empty() { &by_word } else { &by_token };
    match &outcome {
        Ok(principal) => {
            let [one] = found.iter().collect::<Vec<_>>()[..] else {
                panic!("accepted with {} credentials", found.len())
            };
            match principal.method {
                AuthenticationMethod::Token => {
                    assert!(*one == good && !by_token.is_empty(), "only the issued token is accepted");
                    assert_eq!(principal.user_id.as_str(), "alice");
                    assert!(authorize().is_err(), "a token is accepted once");
                }
                AuthenticationMethod::Open => {
                    let claimed = UserId::new(one.as_str()).expect("an accepted id is valid");
                    assert!(by_token.is_empty() && principal.user_id == claimed);
                }
                other => panic!("accepted by {other:?}"),
            }
        }
        Err(refusal) => {
            let shown = format!("{} {refusal:?}", chain(refusal));
            require_bounded(&shown);
            for secret in [&good, &forged] {
                require_hidden(&shown, secret);
            }
            // Not even an offer that carries a credential, so there is none that the client knows.
            if offers.iter().any(|offer| offer == "token.") {
                assert_eq!(refusal.status(), Status::BadRequest, "{shown}");
                return;
            }
            let expected = if found.is_empty() { Status::Unauthorized } else { Status::Forbidden };
            assert_eq!(refusal.status(), expected, "{shown}");
            assert_eq!(matches!(refusal.reason(), Reason::NoCredential), found.is_empty());
            assert!(by_token != BTreeSet::from([good.clone()]), "the issued token is refused: {shown}");
        }
    }
}

/// An accepted user has signed, and no text shows a credential.
fn check_any(origins: bool, query: &[(Place, Proof)], protocols: &[Proof], headers: &[(Field, Proof)]) {
    let issuer =
        JwtIssuer::new(&Key256::from_bytes([9; 32]), "issuer", "tidings").expect("a key can be made");
    let subject =
        JwtSubject { user_id: UserId::new("alice").expect("the id is valid"), username: String::new() };
    let jwt = issuer.issue(subject, Now.now()).expect("a token can be signed").token;
    let text = |proof: &Proof| match proof {
        Proof::Jwt { bearer } => {
            if *bearer {
                format!("Bearer {jwt}")
            } else {
                jwt.clone()
            }
        }
        Proof::Altered { at, to } => {
            let mut altered = jwt.clone().into_bytes();
            let at = usize::from(*at) % altered.len();
            altered[at] = b"ABCxyz09-_."[usize::from(*to) % 11];
            String::from_utf8(altered).expect("a token is ASCII")
        }
        Proof::Unsigned { header, claims } => {
            format!("{}.{}.AAAA", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
        }
        Proof::Session => SESSION.to_owned(),
        Proof::DateTime => DATE_TIME.to_owned(),
        Proof::Signature => SIGNATURE.to_owned(),
        Proof::Oversized => format!("{}..", "t".repeat(MAX_JWT_BYTES)),
        Proof::Text(text) => text.clone(),
    };
    let query = query.iter().map(|(place, proof)| {
        let name = match place {
            Place::Token => "token",
            Place::AccessToken => "access_token",
            Place::Authorization => "Authorization",
            Place::ClientId => "client_id",
        };
        (name.to_owned(), text(proof))
    });
    let offers =
        protocols.iter().map(|proof| ("sec-websocket-protocol".to_owned(), format!("jwt.{}", text(proof))));
    let fields = headers.iter().map(|(field, proof)| match field {
        Field::Authorization => ("AUTHORIZATION".to_owned(), text(proof)),
        Field::Cookie { name, quoted } => {
            let name = ["auth", "id_token", "authToken", "other"][usize::from(name % 4)];
            let value = if *quoted { format!("\"{}\"", text(proof)) } else { text(proof) };
            ("Cookie".to_owned(), format!("a=b; {name}={value}"))
        }
        Field::Origin { ours } => ("origin".to_owned(), if *ours { ORIGIN.to_owned() } else { text(proof) }),
        Field::Session => ("x-session".to_owned(), text(proof)),
        Field::DateTime => ("X-Date-Time".to_owned(), text(proof)),
        Field::Signature => ("X-SIGNATURE".to_owned(), text(proof)),
    });
    let handshake = Handshake::new(query.collect(), offers.chain(fields).collect());

    let config = AuthorizerConfig {
        methods: Methods { token: false, jwt: true, hmac: true, open: false },
        allowed_origins: if origins { vec![ORIGIN.to_owned()] } else { Vec::new() },
        jwt: JwtConfig { issuers: vec![issuer.trusted()], ..JwtConfig::default() },
        hmac: HmacConfig { secret: "one".to_owned(), ..HmacConfig::default() },
        ..AuthorizerConfig::new("tidings", "tidings")
    };
    config.validate().expect("the configuration is valid");
    let authorizer = gateway(LocalCipher::new(&Key256::from_bytes([7; 32])), Tokens::default(), config);
    let authorize = || authorizer.authorize(&handshake).now_or_never().expect("the future is ready");
    let outcome = authorize();
    let foreign = handshake.headers.iter().any(|(name, value)| name == "origin" && value != ORIGIN);
    let sent = |needle: &str| {
        handshake.query.iter().chain(&handshake.headers).any(|(_, value)| value.contains(needle))
    };
    match outcome {
        Ok(principal) => {
            assert!(!(origins && foreign), "a page of another origin is accepted");
            match principal.method {
                AuthenticationMethod::Jwt => {
                    assert!(sent(&jwt) && principal.user_id.as_str() == "alice");
                    assert!(principal.expires_at.is_some());
                }
                AuthenticationMethod::Hmac => {
                    assert!(sent(SIGNATURE) && principal.user_id.as_str() == SESSION);
                    assert!(authorize().is_err(), "a signature is accepted once");
                }
                other => panic!("accepted by {other:?}"),
            }
        }
        Err(refusal) => {
            let shown = format!("{} {refusal:?} {handshake:?}", chain(&refusal));
            for secret in [jwt.as_str(), SIGNATURE, HMAC_SECRET] {
                require_hidden(&shown, secret);
            }
            assert_ne!(refusal.status(), Status::InternalServerError, "{shown}");
        }
    }
}

/// Reads a request with these parts as the server does. `None` if they are longer than a URI may be.
fn read(query: &[(String, String)], offers: &[String], others: &[String]) -> Option<Handshake> {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs: Vec<_> =
        query.iter().map(|(name, text)| format!("{}={}", encoded(name), encoded(text))).collect();
    let target = if pairs.is_empty() { "/ws".to_owned() } else { format!("/ws?{}", pairs.join("&")) };
    // Longer than those of the crate http.
    if target.len() > usize::from(u16::MAX) - 1 {
        return None;
    }
    let uri = target.parse::<Uri>().expect("an encoded target is a URI");
    let mut headers = HeaderMap::new();
    let value = |text: &str| HeaderValue::from_str(text).expect("the value is visible ASCII");
    for offer in offers {
        headers.append("sec-websocket-protocol", value(offer));
    }
    let names = ["cookie", "authorization", "x-session"].map(HeaderName::from_static);
    for (name, text) in names.iter().cycle().zip(others) {
        headers.append(name, value(text));
    }
    Some(fuzz_api::handshake(&uri, &headers).expect("the query is well formed"))
}
