//! This server's own ID tokens: what a person gets for username and password, in place of Cognito's. JSON Web
//! Tokens signed with Ed25519 (RFC 8037), which anyone can check with the key set of [`JwtIssuer::jwks`].

use std::fmt;
use std::time::Duration;

use auth_token::{
    InvalidJwt, InvalidKeySet, JwtAlgorithm, JwtKeys, JwtRules, KeySet, PresentedJwt, TrustedIssuer,
    VerifiedJwt,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contract_notifications_v1::{Timestamp, UserId};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::secrets::Key256;

/// How long an ID token is good for.
pub const ID_TOKEN_LIFETIME: Duration = Duration::from_hours(1);

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

/// Why there is no issuer, or why it could not issue.
#[derive(Debug, thiserror::Error)]
pub enum JwtIssueError {
    /// The seed makes no key.
    #[error("the signing seed makes no Ed25519 key")]
    Seed,
    /// The public key makes no set.
    #[error("the public key makes no key set")]
    KeySet(#[source] InvalidKeySet),
    /// The token could not be written.
    #[error("the ID token could not be signed")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

/// The claims. Times are in seconds since the epoch.
#[derive(Debug, Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: UserId,
    preferred_username: String,
    iat: u64,
    exp: u64,
    jti: String,
}

/// Issues ID tokens. They are checked as those of any issuer are, by the rules and keys given here.
pub struct JwtIssuer {
    issuer: String,
    audience: String,
    signing_key: EncodingKey,
    header: Header,
    jwk: PublicJwk,
    rules: JwtRules,
    keys: KeySet,
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
        auth_token::install_crypto_provider();
        let (issuer, audience) = (issuer.into(), audience.into());
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_bytes()).map_err(|_| JwtIssueError::Seed)?;
        let public_key = pair.public_key().as_ref();
        let pkcs8 = Zeroizing::new([PKCS8_HEAD.as_slice(), seed.as_bytes()].concat());
        let jwk = PublicJwk::ed25519(public_key);
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(jwk.kid.clone());
        let jwks = Jwks { keys: vec![jwk.clone()] };
        // Strings alone: nothing here can fail to serialize.
        let json = serde_json::to_vec(&jwks).unwrap_or_default();
        let keys = KeySet::parse(&json).map_err(JwtIssueError::KeySet)?;
        let TrustedIssuer { rules, .. } =
            TrustedIssuer::with_keys(&issuer, &audience, JwtAlgorithm::EdDsa, keys.clone());
        let signing_key = EncodingKey::from_ed_der(&pkcs8);
        Ok(Self { issuer, audience, signing_key, header, jwk, rules, keys })
    }

    /// This issuer, for who accepts its tokens.
    pub fn trusted(&self) -> TrustedIssuer {
        TrustedIssuer { rules: self.rules.clone(), keys: JwtKeys::Fixed(self.keys.clone()) }
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
            iss: &self.issuer,
            aud: &self.audience,
            sub: subject.user_id,
            preferred_username: subject.username,
            iat,
            exp,
            jti: Uuid::new_v4().to_string(),
        };
        let token = jsonwebtoken::encode(&self.header, &claims, &self.signing_key);
        Ok(IssuedJwt { token: token.map_err(JwtIssueError::Sign)?, expires_at: seconds(exp) })
    }

    /// Checks an ID token of this issuer at `now`.
    ///
    /// # Errors
    /// [`InvalidJwt`], which shows nothing of the token.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<VerifiedJwt, InvalidJwt> {
        self.rules.verify(&PresentedJwt::parse(token)?, &self.keys, now)
    }
}

fn seconds(since_epoch: u64) -> Timestamp {
    Timestamp::from_millis(since_epoch.saturating_mul(1000))
}

#[cfg(test)]
mod tests;
