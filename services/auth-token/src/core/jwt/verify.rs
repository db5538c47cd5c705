//! Whether a token is good.

use std::fmt;
use std::time::Duration;

use contract_notifications_v1::{Timestamp, UserId};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, TokenData, crypto};
use serde::Deserialize;

use super::claims::Claims;
use super::{KeySet, provider};

/// How far the clocks of who issues and who checks may differ.
pub const JWT_LEEWAY: Duration = Duration::from_secs(5);

/// By which algorithm an issuer signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub enum JwtAlgorithm {
    /// RSA, PKCS #1 v1.5, with SHA-256; keys of 2,048 to 8,192 bits.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// HMAC with SHA-256 and a shared secret.
    #[serde(rename = "HS256")]
    Hs256,
}

impl JwtAlgorithm {
    const fn library(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Es256 => Algorithm::ES256,
            Self::EdDsa => Algorithm::EdDSA,
            Self::Hs256 => Algorithm::HS256,
        }
    }
}

/// What the tokens of an issuer must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtRules {
    /// The `iss` they have; `None`: they have none.
    pub issuer: Option<String>,
    /// How they are signed.
    pub algorithm: JwtAlgorithm,
    /// One of these is in their `aud`, or is their `client_id` when they have no `aud`; empty: anyone's.
    pub audiences: Vec<String>,
    /// Claims that list hubs.
    pub hubs_claims: Vec<String>,
}

/// A good token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedJwt {
    /// Who it is about.
    pub user_id: UserId,
    /// The user's name for people.
    pub username: Option<String>,
    /// Hubs the connection joins.
    pub hubs: Vec<String>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Why a token proves nothing. Shows nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJwt {
    /// Not a JSON Web Token with the claims that are needed.
    #[error("it is no JSON Web Token: its {0}")]
    Form(&'static str),
    /// Its header demands that something unknown be understood (RFC 7515, section 4.1.11).
    #[error("its header has critical parts that are not understood")]
    Critical,
    /// Another algorithm or another key signed it, or it was altered.
    #[error("its signature is not its issuer's")]
    Signature,
    /// Its issuer has no key of this name.
    #[error("its issuer has no such key")]
    UnknownKey,
    /// Issued by someone who is not trusted.
    #[error("it has another issuer")]
    Issuer,
    /// Issued for someone else.
    #[error("it is for another audience")]
    Audience,
    /// It is about nobody who can be a user.
    #[error("its subject can't be a user")]
    Subject,
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

impl InvalidJwt {
    /// A short fixed word for it, as a metric's label.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Form(_) => "jwt-form",
            Self::Critical => "jwt-critical",
            Self::Signature => "jwt-signature",
            Self::UnknownKey => "jwt-unknown-key",
            Self::Issuer => "jwt-issuer",
            Self::Audience => "jwt-audience",
            Self::Subject => "jwt-subject",
            Self::Expired { .. } => "jwt-expired",
            Self::NotYet { .. } => "jwt-not-yet",
        }
    }
}

/// A token that was read and is not yet checked. Its `Debug` shows nothing of it.
pub struct PresentedJwt<'a> {
    message: &'a str,
    signature: &'a str,
    token: TokenData<Claims>,
}

impl fmt::Debug for PresentedJwt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedJwt").finish_non_exhaustive()
    }
}

impl<'a> PresentedJwt<'a> {
    /// Reads a token.
    ///
    /// # Errors
    /// [`InvalidJwt::Form`] and [`InvalidJwt::Critical`].
    pub fn read(token: &'a str) -> Result<Self, InvalidJwt> {
        let (message, signature) = token.rsplit_once('.').ok_or(InvalidJwt::Form("parts"))?;
        let token = jsonwebtoken::dangerous::insecure_decode::<Claims>(token)
            .map_err(|_| InvalidJwt::Form("header or claims"))?;
        if token.header.crit.is_some() {
            return Err(InvalidJwt::Critical);
        }
        Ok(Self { message, signature, token })
    }

    /// The `iss` it claims to have.
    pub fn issuer(&self) -> Option<&str> {
        self.token.claims.iss.as_deref()
    }

    /// The name of the key it claims to be signed with.
    pub fn kid(&self) -> Option<&str> {
        self.token.header.kid.as_deref()
    }

    fn is_signed_with(&self, key: &DecodingKey, algorithm: Algorithm) -> Result<bool, InvalidJwt> {
        crypto::verify(self.signature, self.message.as_bytes(), key, algorithm).or_else(|error: Error| {
            match error.kind() {
                ErrorKind::Base64(_) => Err(InvalidJwt::Form("signature")),
                // The key is none of the algorithm's.
                _ => Ok(false),
            }
        })
    }
}

impl JwtRules {
    /// Whether the token says of itself that it is signed as these rules want it. What it says decides
    /// nothing; but no keys need be fetched for one that can't be good.
    pub(crate) fn expect(&self, token: &PresentedJwt<'_>) -> Result<(), InvalidJwt> {
        if token.token.header.alg == self.algorithm.library() { Ok(()) } else { Err(InvalidJwt::Signature) }
    }

    /// Checks a token with the keys of a set, at `now`.
    ///
    /// # Errors
    /// [`InvalidJwt`].
    pub fn verify(
        &self,
        token: &PresentedJwt<'_>,
        keys: &KeySet,
        now: Timestamp,
    ) -> Result<VerifiedJwt, InvalidJwt> {
        self.expect(token)?;
        let keys = keys.find(token.kid(), self.algorithm);
        if keys.is_empty() {
            return Err(InvalidJwt::UnknownKey);
        }
        self.verify_with(token, &keys, now)
    }

    /// Checks a token with keys that it may be signed with. Times are good to within [`JWT_LEEWAY`].
    pub(crate) fn verify_with(
        &self,
        token: &PresentedJwt<'_>,
        keys: &[DecodingKey],
        now: Timestamp,
    ) -> Result<VerifiedJwt, InvalidJwt> {
        provider::install();
        self.expect(token)?;
        let mut signed = false;
        for key in keys {
            signed |= token.is_signed_with(key, self.algorithm.library())?;
        }
        if !signed {
            return Err(InvalidJwt::Signature);
        }
        self.check(&token.token.claims, now)
    }

    fn check(&self, claims: &Claims, now: Timestamp) -> Result<VerifiedJwt, InvalidJwt> {
        if claims.iss != self.issuer {
            return Err(InvalidJwt::Issuer);
        }
        let ours = |audience: &str| self.audiences.iter().any(|own| own == audience);
        let is_ours = match (&claims.aud, &claims.client_id) {
            _ if self.audiences.is_empty() => true,
            (Some(audiences), _) => audiences.any(ours),
            (None, Some(client)) => ours(client),
            (None, None) => false,
        };
        if !is_ours {
            return Err(InvalidJwt::Audience);
        }
        let expires_at = claims.exp.ok_or(InvalidJwt::Form("exp is missing"))?.timestamp();
        if now >= expires_at.plus(JWT_LEEWAY) {
            return Err(InvalidJwt::Expired { seconds: now.since(expires_at).as_secs() });
        }
        let begins_at = claims.nbf.map(super::claims::NumericDate::timestamp).unwrap_or_default();
        if begins_at > now.plus(JWT_LEEWAY) {
            return Err(InvalidJwt::NotYet { seconds: begins_at.since(now).as_secs() });
        }
        Ok(VerifiedJwt {
            user_id: claims.user().ok_or(InvalidJwt::Subject)?,
            username: claims.username(),
            hubs: claims.hubs(&self.hubs_claims),
            expires_at,
        })
    }
}
