//! Selects the credential of a handshake.

use std::fmt;

use crate::config::AuthorizerConfig;
use crate::core::handshake::Handshake;
use crate::core::origin::is_allowed_origin;
use crate::core::refusal::Reason;
use crate::core::signature::SignedHeaders;
use crate::core::single_value::single_value;
use crate::core::token::MAX_CREDENTIAL_BYTES;
use crate::methods::{hmac, jwt, open, token};

/// An unverified credential.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential<'a> {
    /// A single-use connect token.
    Token(&'a str),
    /// A JSON Web Token.
    Jwt(&'a str),
    /// Signed headers.
    Hmac(SignedHeaders<'a>),
    /// A `client_id`, without proof.
    Open(&'a str),
}

impl fmt::Debug for Credential<'_> {
    /// Shows only the method.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token",
            Self::Jwt(_) => "Jwt",
            Self::Hmac(_) => "Hmac",
            Self::Open(_) => "Open",
        })
    }
}

/// Returns the credential of the first enabled method that has one, in a fixed order. If origins are
/// configured, web pages of other origins are refused before that, with or without a credential.
///
/// # Errors
/// [`Reason::NoCredential`], or the reason for refusing a malformed credential or an origin.
pub(crate) fn select<'a>(
    handshake: &'a Handshake,
    config: &AuthorizerConfig,
) -> Result<Credential<'a>, Reason> {
    let (methods, origins) = (config.methods, &config.allowed_origins);
    let is_allowed = |origin: &str| is_allowed_origin(origins, origin);
    // No browser sends an origin beyond ASCII.
    if !handshake.header("origin").all(str::is_ascii) {
        return Err(Reason::Origin);
    }
    if !origins.is_empty() && !handshake.header("origin").all(is_allowed) {
        return Err(Reason::Origin);
    }
    if methods.token
        && let Some(token) = single_value(token::candidates(handshake, methods.jwt), MAX_CREDENTIAL_BYTES)?
    {
        return Ok(Credential::Token(token));
    }
    if methods.jwt
        && let Some(token) = jwt::find(handshake, &config.jwt.cookie_names, !origins.is_empty())?
    {
        return Ok(Credential::Jwt(token));
    }
    if methods.hmac
        && let Some(headers) = hmac::find(handshake)?
    {
        return Ok(Credential::Hmac(headers));
    }
    if methods.open
        && let Some(client_id) = single_value(open::candidates(handshake), MAX_CREDENTIAL_BYTES)?
    {
        return Ok(Credential::Open(client_id));
    }
    Err(Reason::NoCredential)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Methods;

    const ALL: Methods = Methods { token: true, jwt: true, hmac: true, open: true };

    fn select(handshake: &Handshake, methods: Methods) -> Result<Credential<'_>, Reason> {
        super::select(handshake, &AuthorizerConfig { methods, ..AuthorizerConfig::new("i", "a") })
    }

    fn handshake(query: &[(&str, &str)], subprotocols: &[&str]) -> Handshake {
        Handshake {
            query: query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            subprotocols: subprotocols.iter().map(|offer| (*offer).to_owned()).collect(),
            ..Handshake::default()
        }
    }

    #[test]
    fn token_is_found_in_query_and_subprotocols() {
        let query = handshake(&[("x", "y"), ("token", "t")], &[]);
        assert_eq!(select(&query, ALL).unwrap(), Credential::Token("t"));
        let offers = handshake(&[], &["tidings.v1", "token.t"]);
        assert_eq!(select(&offers, ALL).unwrap(), Credential::Token("t"));
        let both = handshake(&[("token", "t")], &["token.t"]);
        assert_eq!(select(&both, ALL).unwrap(), Credential::Token("t"));
    }

    #[test]
    fn different_tokens_in_two_places_are_refused() {
        let both = handshake(&[("token", "t")], &["tidings.v1", "token.u"]);
        assert!(matches!(select(&both, ALL), Err(Reason::Conflicting)));
        let twice = handshake(&[("token", "t"), ("token", "u")], &[]);
        assert!(matches!(select(&twice, ALL), Err(Reason::Conflicting)));
    }

    #[test]
    fn token_precedes_client_id_unless_empty() {
        let both = handshake(&[("client_id", "c"), ("token", "t")], &[]);
        assert_eq!(select(&both, ALL).unwrap(), Credential::Token("t"));
        let empty = handshake(&[("client_id", "c"), ("token", "")], &["token."]);
        assert_eq!(select(&empty, ALL).unwrap(), Credential::Open("c"));
    }

    #[test]
    fn disabled_method_finds_nothing() {
        let both = handshake(&[("client_id", "c"), ("token", "t")], &[]);
        assert!(matches!(select(&both, Methods::NONE), Err(Reason::NoCredential)));
        let open = handshake(&[("client_id", "c")], &[]);
        assert!(matches!(select(&open, Methods::default()), Err(Reason::NoCredential)));
    }

    #[test]
    fn oversized_credential_is_refused() {
        let largest = "t".repeat(MAX_CREDENTIAL_BYTES);
        assert!(select(&handshake(&[("token", &largest)], &[]), ALL).is_ok());
        let oversized = handshake(&[("token", &format!("{largest}t"))], &[]);
        assert!(matches!(select(&oversized, ALL), Err(Reason::Oversized { bytes: 4097, .. })));
    }

    #[test]
    fn debug_shows_no_credential() {
        assert_eq!(format!("{:?}", Credential::Token("SECRET")), "Token");
    }
}
