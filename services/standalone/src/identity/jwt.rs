//! This server's own ID tokens: what a person gets for username and password, in place of Cognito's. JSON Web
//! Tokens signed with Ed25519 (RFC 8037), which anyone can check with the key set of [`JwtIssuer::jwks`].

mod provider;

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contract_notifications_v1::{Timestamp, UserId};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

pub use self::provider::install as install_provider;
use super::secrets::Key256;

/// How long an ID token is good for.
pub const ID_TOKEN_LIFETIME: Duration = Duration::from_hours(1);
/// How far the clocks of who issues and who checks may differ.
pub const LEEWAY: Duration = Duration::from_secs(5);

/// What comes before the seed in an Ed25519 key's PKCS#8 form (RFC 8410, section 7).
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Who an ID token is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtSubject {
    /// The user: the claim `sub`.
    pub user_id: UserId,
    /// The user's name for people: the claim `preferred_username`; may be empty.
    pub username: String,
}

/// A new ID token. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuedJwt {
    /// The token.
    pub token: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl fmt::Debug for IssuedJwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedJwt").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// A good ID token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedJwt {
    /// Who it is about.
    pub subject: JwtSubject,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Why there is no issuer, or why it could not issue.
#[derive(Debug, thiserror::Error)]
pub enum JwtIssueError {
    /// The seed makes no key.
    #[error("the signing seed makes no Ed25519 key")]
    Seed,
    /// The token could not be written.
    #[error("the ID token could not be signed")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

/// Why a token proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum InvalidJwt {
    /// Not a JSON Web Token with the claims of an ID token.
    #[error("it is not an ID token of this server")]
    Form(#[source] jsonwebtoken::errors::Error),
    /// Its header demands that something unknown be understood.
    #[error("its header has critical parts that are not understood")]
    Critical,
    /// Another algorithm or another key signed it, or it was altered.
    #[error("its signature is not this server's")]
    Signature,
    /// Issued by someone else.
    #[error("it has another issuer")]
    Issuer,
    /// Issued for someone else.
    #[error("it is for another audience")]
    Audience,
    /// It has ended.
    #[error("it ended {seconds} s ago")]
    Expired {
        /// How long ago.
        seconds: u64,
    },
    /// It has not begun.
    #[error("it is not good before {seconds} s from now")]
    NotYet {
        /// How far ahead.
        seconds: u64,
    },
}

/// The claims. Times are in seconds since the epoch.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    #[serde(default)]
    preferred_username: String,
    iat: u64,
    exp: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    jti: String,
}

/// Issues ID tokens and checks them.
pub struct JwtIssuer {
    issuer: String,
    audience: String,
    signing_key: EncodingKey,
    public_key: DecodingKey,
    header: Header,
    validation: Validation,
    jwk: PublicJwk,
}

impl fmt::Debug for JwtIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtIssuer")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("kid", &self.jwk.kid)
            .finish_non_exhaustive()
    }
}

/// A set of public keys, as `/.well-known/jwks.json` has it (RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwks {
    /// The keys.
    pub keys: Vec<PublicJwk>,
}

/// A public Ed25519 key (RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicJwk {
    kty: &'static str,
    crv: &'static str,
    x: String,
    kid: String,
    alg: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
}

impl PublicJwk {
    fn ed25519(public_key: &[u8]) -> Self {
        let x = URL_SAFE_NO_PAD.encode(public_key);
        // The thumbprint of RFC 7638: the key's required members alone, in the order of their names.
        let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(Sha256::digest(members));
        Self { kty: "OKP", crv: "Ed25519", x, kid, alg: "EdDSA", usage: "sig" }
    }
}

impl JwtIssuer {
    /// An issuer that signs with the key of `seed`, in the name of `issuer`, for `audience`.
    ///
    /// # Errors
    /// [`JwtIssueError::Seed`].
    pub fn new(
        seed: &Key256,
        issuer: impl Into<String>,
        audience: impl Into<String>,
    ) -> Result<Self, JwtIssueError> {
        provider::install();
        let (issuer, audience) = (issuer.into(), audience.into());
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_bytes()).map_err(|_| JwtIssueError::Seed)?;
        let public_key = pair.public_key().as_ref();
        let pkcs8 = Zeroizing::new([PKCS8_HEAD.as_slice(), seed.as_bytes()].concat());
        let jwk = PublicJwk::ed25519(public_key);
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(jwk.kid.clone());
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        validation.set_issuer(&[&issuer]);
        validation.set_audience(&[&audience]);
        // The library asks the machine's clock; here the caller says what time it is.
        validation.validate_exp = false;
        Ok(Self {
            issuer,
            audience,
            signing_key: EncodingKey::from_ed_der(&pkcs8),
            public_key: DecodingKey::from_ed_der(public_key),
            header,
            validation,
            jwk,
        })
    }

    /// The public key by which anyone can check this issuer's tokens.
    pub fn jwks(&self) -> Jwks {
        Jwks { keys: vec![self.jwk.clone()] }
    }

    /// Issues an ID token about `subject`, whom the caller has authenticated, good for
    /// [`ID_TOKEN_LIFETIME`].
    ///
    /// # Errors
    /// [`JwtIssueError::Sign`].
    pub fn issue(&self, subject: JwtSubject, now: Timestamp) -> Result<IssuedJwt, JwtIssueError> {
        let iat = now.millis() / 1000;
        let exp = iat.saturating_add(ID_TOKEN_LIFETIME.as_secs());
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: subject.user_id,
            preferred_username: subject.username,
            iat,
            exp,
            nbf: None,
            jti: Uuid::new_v4().to_string(),
        };
        let token = jsonwebtoken::encode(&self.header, &claims, &self.signing_key);
        Ok(IssuedJwt { token: token.map_err(JwtIssueError::Sign)?, expires_at: seconds(exp) })
    }

    /// Checks an ID token of this issuer at `now`. The algorithm is the issuer's, whatever the token says;
    /// `typ` is ignored.
    ///
    /// # Errors
    /// [`InvalidJwt`], which shows no signature and no claims.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<VerifiedJwt, InvalidJwt> {
        let token =
            jsonwebtoken::decode::<Claims>(token, &self.public_key, &self.validation).map_err(invalid)?;
        // RFC 7515, section 4.1.11; the library does not look at it.
        if token.header.crit.is_some() {
            return Err(InvalidJwt::Critical);
        }
        let claims = token.claims;
        let expires_at = seconds(claims.exp);
        if now >= expires_at.plus(LEEWAY) {
            return Err(InvalidJwt::Expired { seconds: now.since(expires_at).as_secs() });
        }
        let begins_at = seconds(claims.nbf.unwrap_or_default());
        if begins_at > now.plus(LEEWAY) {
            return Err(InvalidJwt::NotYet { seconds: begins_at.since(now).as_secs() });
        }
        let subject = JwtSubject { user_id: claims.sub, username: claims.preferred_username };
        Ok(VerifiedJwt { subject, expires_at })
    }
}

fn seconds(since_epoch: u64) -> Timestamp {
    Timestamp::from_millis(since_epoch.saturating_mul(1000))
}

fn invalid(error: jsonwebtoken::errors::Error) -> InvalidJwt {
    match error.kind() {
        ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm | ErrorKind::MissingAlgorithm => {
            InvalidJwt::Signature
        }
        ErrorKind::InvalidIssuer => InvalidJwt::Issuer,
        ErrorKind::InvalidAudience => InvalidJwt::Audience,
        _ => InvalidJwt::Form(error),
    }
}

#[cfg(test)]
mod tests;
