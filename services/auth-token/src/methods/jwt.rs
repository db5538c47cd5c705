//! JSON Web Tokens: in the query (`Authorization`, `access_token`, or `token` if it has the form of one), in
//! the subprotocol `jwt.<token>`, in the `Authorization` header, or in a cookie.

use contract_frames_v1::JWT_SUBPROTOCOL;
use contract_identity_v1::{AuthenticationMethod, Principal};
use contract_notifications_v1::{UserId, Version1};
use jsonwebtoken::DecodingKey;
use shared_ports::{Clock, PortError};

use crate::cached::Cached;
use crate::config::{JwtConfig, JwtKeys, TrustedIssuer};
use crate::core::handshake::Handshake;
use crate::core::jwt::{InvalidJwt, JwtRules, KeySet, MAX_JWT_BYTES, PresentedJwt, VerifiedJwt, is_jwt};
use crate::core::refusal::Reason;
use crate::core::single_value::single_value;
use crate::methods::Proven;
use crate::ports::{KeySets, SecretVersions, Secrets};

/// Query parameters with a token. A third one, `token`, is shared with connect tokens.
const PARAMETERS: [&str; 2] = ["Authorization", "access_token"];

/// Returns the token of a handshake, if there is one.
///
/// A cookie is accepted only with an `Origin` header of an allowed origin, because any page can make a
/// browser send cookies (cross-site WebSocket hijacking). Without allowed origins, cookies are ignored. The
/// caller has checked that an `Origin` in the handshake is allowed.
pub(crate) fn find<'a>(
    handshake: &'a Handshake,
    cookie_names: &[String],
    has_origins: bool,
) -> Result<Option<&'a str>, Reason> {
    let parameters = PARAMETERS.into_iter().flat_map(|name| handshake.query(name)).map(without_scheme);
    let tokens = handshake.query("token").map(without_scheme).filter(|token| is_jwt(token));
    let header = handshake.header("authorization").filter_map(bearer);
    let explicit = parameters.chain(tokens).chain(header).chain(handshake.subprotocol(JWT_SUBPROTOCOL));
    let explicit = single_value(explicit.filter(|token| !token.is_empty()), MAX_JWT_BYTES)?;
    if !has_origins {
        return Ok(explicit);
    }
    // The first name present is used. Different cookies of one name conflict.
    let mut cookies = cookie_names.iter().map(|name| single_value(handshake.cookie(name), MAX_JWT_BYTES));
    let cookie = cookies.find_map(Result::transpose).transpose()?;
    match (explicit, cookie) {
        // A client must not use two methods to send a token (RFC 6750, section 2), unless it is the same
        // token.
        (Some(explicit), Some(cookie)) if explicit != cookie => Err(Reason::Conflicting),
        (None, Some(_)) if handshake.header("origin").next().is_none() => Err(Reason::CookieWithoutOrigin),
        (explicit, cookie) => Ok(explicit.or(cookie)),
    }
}

/// Returns the text after the scheme `Bearer`, which is case-insensitive.
fn bearer(text: &str) -> Option<&str> {
    const SCHEME: &str = "Bearer ";
    let (scheme, token) = text.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| token.trim())
}

fn without_scheme(text: &str) -> &str {
    bearer(text).unwrap_or(text)
}

/// Largest context of an accepted handshake, as JSON in JSON, in bytes. An authorizer's whole answer may have 8 KB, of
/// which the policy and the user's id take less than one
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>).
const MAX_CONTEXT_BYTES: usize = 6 * 1024;

/// Returns the size of the context that hands a principal on to the edge.
fn context_bytes(principal: &Principal) -> usize {
    // A map of texts always serializes.
    serde_json::to_string(&principal.to_context()).map_or(usize::MAX, |json| json.len())
}

/// The keys of an issuer, with their cache.
#[derive(Debug)]
enum Keys {
    Fixed(KeySet),
    Remote { url: String, keys: Cached<KeySet> },
    Secret { name: String, versions: Cached<SecretVersions> },
}

#[derive(Debug)]
struct Issuer {
    rules: JwtRules,
    keys: Keys,
}

/// Verifies tokens of the trusted issuers with cached keys.
#[derive(Debug)]
pub(crate) struct Jwt {
    issuers: Vec<Issuer>,
    /// True if several issuers may name the same users.
    shared_user_ids: bool,
}

impl Jwt {
    pub(crate) fn new(config: &JwtConfig) -> Self {
        let issuer = |TrustedIssuer { rules, keys }: &TrustedIssuer| {
            let keys = match keys {
                JwtKeys::Fixed(keys) => Keys::Fixed(keys.clone()),
                JwtKeys::Url(url) => {
                    let keys = Cached::new("fetching an issuer's key set", config.key_set_cache);
                    Keys::Remote { url: url.clone(), keys }
                }
                JwtKeys::Secret(name) => {
                    let versions = Cached::new("reading an issuer's secret", config.secret_cache);
                    Keys::Secret { name: name.clone(), versions }
                }
            };
            Issuer { rules: rules.clone(), keys }
        };
        Self { issuers: config.issuers.iter().map(issuer).collect(), shared_user_ids: config.shared_user_ids }
    }

    /// Verifies a token by the rules of the issuer that it names.
    pub(crate) async fn authorize(
        &self,
        token: &str,
        key_sets: &impl KeySets,
        secrets: &impl Secrets,
        clock: &impl Clock,
    ) -> Result<Proven, Reason> {
        let VerifiedJwt { user_id, username, hubs, expires_at, issued_at, id } =
            self.verify(token, key_sets, secrets, clock).await?;
        let principal = Principal {
            version: Version1,
            user_id,
            username,
            method: AuthenticationMethod::Jwt,
            hubs,
            expires_at,
            source_key: None,
            source_token: id.clone(),
        };
        let bytes = context_bytes(&principal);
        if bytes > MAX_CONTEXT_BYTES {
            return Err(InvalidJwt::TooLarge { bytes, most: MAX_CONTEXT_BYTES }.into());
        }
        Ok(Proven { principal, issued_at, token_id: id })
    }

    /// Returns the content of a token of a trusted issuer.
    pub(crate) async fn verify(
        &self,
        token: &str,
        key_sets: &impl KeySets,
        secrets: &impl Secrets,
        clock: &impl Clock,
    ) -> Result<VerifiedJwt, Reason> {
        let token = PresentedJwt::parse(token)?;
        let mut issuers = self.issuers.iter();
        let issuer = issuers.find(|issuer| issuer.rules.issuer.as_deref() == token.issuer());
        let issuer = issuer.ok_or(InvalidJwt::Issuer)?;
        issuer.rules.check_algorithm(&token)?;
        let verified = issuer.verify(&token, key_sets, secrets, clock).await?;
        if self.is_foreign(&verified.user_id, &issuer.rules.user_prefix) {
            return Err(InvalidJwt::ForeignUser.into());
        }
        Ok(verified)
    }

    /// Returns true if a user id begins with the prefix of another issuer than the one with `own` prefix. An issuer
    /// without a prefix could name such a user.
    fn is_foreign(&self, user_id: &UserId, own: &str) -> bool {
        let mut prefixes = self.issuers.iter().map(|issuer| issuer.rules.user_prefix.as_str());
        own.is_empty()
            && !self.shared_user_ids
            && prefixes.any(|prefix| !prefix.is_empty() && user_id.as_written().starts_with(prefix))
    }
}

impl Issuer {
    /// Verifies a token with the cached keys. If they don't fit, they may have changed, so newer ones are
    /// tried.
    async fn verify(
        &self,
        token: &PresentedJwt<'_>,
        key_sets: &impl KeySets,
        secrets: &impl Secrets,
        clock: &impl Clock,
    ) -> Result<VerifiedJwt, Reason> {
        match &self.keys {
            Keys::Fixed(keys) => Ok(self.rules.verify(token, keys, clock.now())?),
            Keys::Remote { url, keys } => {
                let fetch = || async {
                    let json = key_sets.fetch(url).await?;
                    KeySet::parse(&json).map_err(|error| PortError::retryable("reading a key set", error))
                };
                let seen = keys.get(clock, fetch).await?;
                let verified = self.rules.verify(token, &seen, clock.now());
                if !matches!(verified, Err(InvalidJwt::UnknownKey)) {
                    return Ok(verified?);
                }
                match keys.get_newer_than(&seen, clock, fetch).await? {
                    Some(keys) => Ok(self.rules.verify(token, &keys, clock.now())?),
                    None => Ok(verified?),
                }
            }
            Keys::Secret { name, versions } => {
                let read = || async {
                    let versions = secrets.read(name).await?;
                    versions
                        .into_long()
                        .map_err(|error| PortError::permanent("reading an issuer's secret", error))
                };
                let verify = |versions: &SecretVersions| {
                    let keys: Vec<_> =
                        versions.iter().map(|secret| DecodingKey::from_secret(secret.reveal())).collect();
                    self.rules.verify_with(token, &keys, clock.now())
                };
                let seen = versions.get(clock, read).await?;
                let verified = verify(&seen);
                if !matches!(verified, Err(InvalidJwt::Signature)) {
                    return Ok(verified?);
                }
                match versions.get_newer_than(&seen, clock, read).await? {
                    Some(versions) => Ok(verify(&versions)?),
                    None => Ok(verified?),
                }
            }
        }
    }
}
