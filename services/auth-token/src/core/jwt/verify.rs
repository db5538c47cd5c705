//! Verifies a JSON Web Token: its signature, and its claims by the issuer's rules.

use std::fmt;
use std::time::Duration;

use contract_notifications_v1::{Timestamp, UserId};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, TokenData, crypto};

use super::algorithm::JwtAlgorithm;
use super::claims::{Claims, NumericDate};
use super::invalid::InvalidJwt;
use super::key_set::KeySet;
use super::provider;

/// Accepted difference between the issuer's clock and the gateway's.
pub const JWT_LEEWAY: Duration = Duration::from_secs(5);

/// Types of tokens that are accepted by default: those about a user. Tokens of other types, such as logout tokens, are
/// signed with the same keys for another purpose (RFC 8725, section 3.11).
const TOKEN_TYPES: [&str; 2] = ["JWT", "at+jwt"];

/// Requirements on an issuer's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtRules {
    /// Value of `iss`; `None` if the tokens must not have one.
    pub issuer: Option<String>,
    /// Algorithm of the signature.
    pub algorithm: JwtAlgorithm,
    /// Accepted audiences: one of them is in `aud`, or is the `client_id` of a token without `aud`. When
    /// empty, every audience is accepted.
    pub audiences: Vec<String>,
    /// Text in front of the subject in the user id; may be empty.
    pub user_prefix: String,
    /// Accepted values of `typ` in the header; when empty, `JWT`, `at+jwt` and none. Case and `application/` are no
    /// difference (RFC 7515, section 4.1.9).
    pub token_types: Vec<String>,
    /// Longest accepted time between issue and expiry; `None` for no limit. A token without `iat` counts as issued
    /// now.
    pub max_lifetime: Option<Duration>,
    /// Names of the claims that list hubs.
    pub hubs_claims: Vec<String>,
    /// True if a token must have the claim `exp`. One without it never expires.
    pub require_exp: bool,
}

/// The content of a verified token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedJwt {
    /// The token's user.
    pub user_id: UserId,
    /// The user's display name.
    pub username: Option<String>,
    /// Hubs that the connection joins.
    pub hubs: Vec<String>,
    /// Time at which the token expires; `None` if never, which [`JwtRules::require_exp`] forbids.
    pub expires_at: Option<Timestamp>,
    /// Time at which the token was issued, if it says so.
    pub issued_at: Option<Timestamp>,
    /// The token's id (`jti`), if it has one.
    pub id: Option<String>,
}

/// A parsed token that is not verified. `Debug` shows no part of it.
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
    /// Parses a token.
    ///
    /// # Errors
    /// [`InvalidJwt::Form`] and [`InvalidJwt::Critical`].
    pub fn parse(token: &'a str) -> Result<Self, InvalidJwt> {
        let (message, signature) =
            token.rsplit_once('.').ok_or(InvalidJwt::Form("it does not have three parts"))?;
        let token = jsonwebtoken::dangerous::insecure_decode::<Claims>(token)
            .map_err(|_| InvalidJwt::Form("its header or claims can't be read"))?;
        if token.header.crit.is_some() {
            return Err(InvalidJwt::Critical);
        }
        Ok(Self { message, signature, token })
    }

    /// Returns the issuer that the token claims to have, its `iss`.
    pub fn issuer(&self) -> Option<&str> {
        self.token.claims.iss.as_deref()
    }

    /// Returns the id of the key that the token claims to be signed with, its `kid`.
    pub fn kid(&self) -> Option<&str> {
        self.token.header.kid.as_deref()
    }

    fn is_signed_with(&self, key: &DecodingKey, algorithm: Algorithm) -> Result<bool, InvalidJwt> {
        crypto::verify(self.signature, self.message.as_bytes(), key, algorithm).or_else(|error: Error| {
            match error.kind() {
                ErrorKind::Base64(_) => Err(InvalidJwt::Form("its signature is not base64url")),
                // The key is for another algorithm.
                _ => Ok(false),
            }
        })
    }
}

impl JwtRules {
    /// Checks that the token's header names the issuer's algorithm. This proves nothing about the token, but
    /// saves fetching keys for a token that can't be valid.
    pub(crate) fn check_algorithm(&self, token: &PresentedJwt<'_>) -> Result<(), InvalidJwt> {
        if token.token.header.alg == self.algorithm.into() { Ok(()) } else { Err(InvalidJwt::Signature) }
    }

    /// Verifies a token with a key set, at the time `now`.
    ///
    /// # Errors
    /// [`InvalidJwt`] with the first rule that the token breaks.
    pub fn verify(
        &self,
        token: &PresentedJwt<'_>,
        keys: &KeySet,
        now: Timestamp,
    ) -> Result<VerifiedJwt, InvalidJwt> {
        self.check_algorithm(token)?;
        let keys = keys.find(token.kid(), self.algorithm);
        if keys.is_empty() {
            return Err(InvalidJwt::UnknownKey);
        }
        self.verify_with(token, &keys, now)
    }

    /// Verifies a token with the keys that it may be signed with. Times may be off by [`JWT_LEEWAY`].
    pub(crate) fn verify_with(
        &self,
        token: &PresentedJwt<'_>,
        keys: &[DecodingKey],
        now: Timestamp,
    ) -> Result<VerifiedJwt, InvalidJwt> {
        provider::install();
        self.check_algorithm(token)?;
        let mut is_signed = false;
        for key in keys {
            is_signed |= token.is_signed_with(key, self.algorithm.into())?;
        }
        if !is_signed {
            return Err(InvalidJwt::Signature);
        }
        self.check_type(token.token.header.typ.as_deref())?;
        self.check_claims(&token.token.claims, now)
    }

    fn check_type(&self, found: Option<&str>) -> Result<(), InvalidJwt> {
        let is_type = |found: &str, accepted: &str| {
            const PREFIX: &str = "application/";
            let bare = match found.split_at_checked(PREFIX.len()) {
                Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
                _ => found,
            };
            bare.eq_ignore_ascii_case(accepted)
        };
        let is_accepted = match found {
            None => self.token_types.is_empty(),
            Some(found) if self.token_types.is_empty() => {
                TOKEN_TYPES.iter().any(|accepted| is_type(found, accepted))
            }
            Some(found) => self.token_types.iter().any(|accepted| is_type(found, accepted)),
        };
        if is_accepted { Ok(()) } else { Err(InvalidJwt::Type) }
    }

    /// Checks that a token is not valid for longer than the issuer's tokens may be. A time of issue in the future
    /// makes the lifetime no shorter.
    fn check_lifetime(
        &self,
        issued_at: Option<Timestamp>,
        end: Timestamp,
        now: Timestamp,
    ) -> Result<(), InvalidJwt> {
        let begin = issued_at.map_or(now, |issued_at| issued_at.min(now));
        match self.max_lifetime {
            Some(most) if end > begin.plus(most).plus(JWT_LEEWAY) => {
                let (seconds, most) = (end.since(begin).as_secs(), most.as_secs());
                Err(InvalidJwt::Lifetime { seconds, most })
            }
            _ => Ok(()),
        }
    }

    fn check_claims(&self, claims: &Claims, now: Timestamp) -> Result<VerifiedJwt, InvalidJwt> {
        if claims.iss != self.issuer {
            return Err(InvalidJwt::Issuer);
        }
        let is_accepted = |audience: &str| self.audiences.iter().any(|accepted| accepted == audience);
        let has_accepted_audience = match (&claims.aud, &claims.client_id) {
            _ if self.audiences.is_empty() => true,
            (Some(audiences), _) => audiences.any(is_accepted),
            (None, Some(client)) => is_accepted(client),
            (None, None) => false,
        };
        if !has_accepted_audience {
            return Err(InvalidJwt::Audience);
        }
        let (issued_at, expires_at) = (claims.issued_at(), claims.exp.map(NumericDate::timestamp));
        if let Some(issued_at) = issued_at.filter(|issued_at| *issued_at > now.plus(JWT_LEEWAY)) {
            let (seconds, most) = (issued_at.since(now).as_secs(), JWT_LEEWAY.as_secs());
            return Err(InvalidJwt::IssuedAhead { seconds, most });
        }
        match expires_at {
            None if self.require_exp => return Err(InvalidJwt::Form("exp is missing")),
            Some(end) if now >= end.plus(JWT_LEEWAY) => {
                return Err(InvalidJwt::Expired { seconds: now.since(end).as_secs() });
            }
            Some(end) => self.check_lifetime(issued_at, end, now)?,
            None => {}
        }
        let valid_from = claims.nbf.map(NumericDate::timestamp).unwrap_or_default();
        if valid_from > now.plus(JWT_LEEWAY) {
            return Err(InvalidJwt::NotYet { seconds: valid_from.since(now).as_secs() });
        }
        Ok(VerifiedJwt {
            user_id: claims.user(&self.user_prefix)?,
            username: claims.username(),
            hubs: claims.hubs(&self.hubs_claims),
            expires_at,
            issued_at,
            id: claims.jti.clone(),
        })
    }
}
