//! ID tokens of this server, which users get for username and password. They take the place of Cognito's.
//!
//! An ID token is a JSON Web Token signed with Ed25519 (RFC 8037). Anyone can verify it with the key set of
//! [`JwtIssuer::jwks`].

use std::fmt;
use std::time::Duration;

use auth_token::{
    InvalidJwt, InvalidKeySet, JwtAlgorithm, JwtKeys, JwtRules, KeySet, PresentedJwt, TrustedIssuer,
    VerifiedJwt,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contract_notifications_v1::{Timestamp, UserId, written};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::secrets::Key256;

/// Lifetime of an ID token.
pub const ID_TOKEN_LIFETIME: Duration = Duration::from_hours(1);

/// Bytes before the seed in an Ed25519 key's PKCS#8 form (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Subject of an ID token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtSubject {
    /// The user id (claim `sub`).
    pub user_id: UserId,
    /// The display name (claim `preferred_username`). May be empty.
    pub username: String,
}

/// A new ID token. `Debug` does not show the token.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuedJwt {
    /// The token.
    pub token: String,
    /// Expiry.
    pub expires_at: Timestamp,
}

impl fmt::Debug for IssuedJwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedJwt").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Errors of creating an issuer or issuing a token.
#[derive(Debug, thiserror::Error)]
pub enum JwtIssueError {
    /// The seed is not valid.
    #[error("the signing seed is not a valid Ed25519 seed")]
    Seed,
    /// The key set of the public key is not valid.
    #[error("the key set of the public key is not valid")]
    KeySet(#[source] InvalidKeySet),
    /// The token could not be signed.
    #[error("the ID token could not be signed")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

/// Claims of an ID token. Times are in seconds since the epoch.
#[derive(Debug, Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    #[serde(serialize_with = "written::user_id")]
    sub: UserId,
    preferred_username: String,
    iat: u64,
    /// The same in milliseconds: a credential is revoked by the time at which it was issued.
    #[serde(rename = "iatMs")]
    iat_ms: u64,
    exp: u64,
    jti: String,
}

/// Issues ID tokens, and verifies them with the same rules as the tokens of other issuers.
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

/// A set of public keys (RFC 7517), the contents of `/.well-known/jwks.json`.
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
        // The thumbprint of RFC 7638: the required members only, in alphabetical order.
        let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(Sha256::digest(members));
        Self { kty: "OKP", crv: "Ed25519", x, kid, alg: "EdDSA", usage: "sig" }
    }
}

impl JwtIssuer {
    /// Returns an issuer named `issuer` that signs tokens for `audience` with the key of `seed`.
    ///
    /// # Errors
    /// [`JwtIssueError::Seed`] or [`JwtIssueError::KeySet`].
    pub fn new(
        seed: &Key256,
        issuer: impl Into<String>,
        audience: impl Into<String>,
    ) -> Result<Self, JwtIssueError> {
        auth_token::install_crypto_provider();
        let (issuer, audience) = (issuer.into(), audience.into());
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_bytes()).map_err(|_| JwtIssueError::Seed)?;
        let public_key = pair.public_key().as_ref();
        let pkcs8 = Zeroizing::new([PKCS8_PREFIX.as_slice(), seed.as_bytes()].concat());
        let jwk = PublicJwk::ed25519(public_key);
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(jwk.kid.clone());
        let jwks = Jwks { keys: vec![jwk.clone()] };
        // Strings always serialize.
        let json = serde_json::to_vec(&jwks).unwrap_or_default();
        let keys = KeySet::parse(&json).map_err(JwtIssueError::KeySet)?;
        let TrustedIssuer { rules, .. } =
            TrustedIssuer::with_keys(&issuer, &audience, JwtAlgorithm::EdDsa, keys.clone());
        let signing_key = EncodingKey::from_ed_der(&pkcs8);
        Ok(Self { issuer, audience, signing_key, header, jwk, rules, keys })
    }

    /// Returns the rules and keys for accepting this issuer's tokens.
    pub fn trusted(&self) -> TrustedIssuer {
        TrustedIssuer { rules: self.rules.clone(), keys: JwtKeys::Fixed(self.keys.clone()) }
    }

    /// Returns the public key that verifies this issuer's tokens, as a key set.
    pub fn jwks(&self) -> Jwks {
        Jwks { keys: vec![self.jwk.clone()] }
    }

    /// Issues an ID token about `subject`, which expires after [`ID_TOKEN_LIFETIME`].
    ///
    /// The caller must have authenticated the subject.
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
            iat_ms: now.millis(),
            exp,
            jti: Uuid::new_v4().to_string(),
        };
        let token = jsonwebtoken::encode(&self.header, &claims, &self.signing_key);
        Ok(IssuedJwt { token: token.map_err(JwtIssueError::Sign)?, expires_at: seconds(exp) })
    }

    /// Verifies an ID token of this issuer at `now`.
    ///
    /// # Errors
    /// [`InvalidJwt`], which contains nothing of the token.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<VerifiedJwt, InvalidJwt> {
        self.rules.verify(&PresentedJwt::parse(token)?, &self.keys, now)
    }
}

fn seconds(since_epoch: u64) -> Timestamp {
    Timestamp::from_millis(since_epoch.saturating_mul(1000))
}

#[cfg(test)]
mod tests;
