//! Which credential a handshake presents.

use std::fmt;

use super::handshake::Handshake;
use super::refusal::Reason;
use super::signature::SignedHeaders;
use super::token::MAX_CREDENTIAL_BYTES;
use crate::config::AuthorizerConfig;
use crate::methods::{hmac, jwt, open, token};

/// A credential, not yet checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential<'a> {
    /// A single-use connect token.
    Token(&'a str),
    /// A JSON Web Token.
    Jwt(&'a str),
    /// Signed headers.
    Hmac(SignedHeaders<'a>),
    /// A client's word for who it is.
    Open(&'a str),
}

impl fmt::Debug for Credential<'_> {
    /// Only which method.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token",
            Self::Jwt(_) => "Jwt",
            Self::Hmac(_) => "Hmac",
            Self::Open(_) => "Open",
        })
    }
}

/// Finds the credential of the first method that is on and has one, in a fixed order. Where origins are listed
/// a web page of another one is refused first, whatever it sends.
pub(crate) fn select<'a>(
    handshake: &'a Handshake,
    config: &AuthorizerConfig,
) -> Result<Credential<'a>, Reason> {
    let (methods, origins) = (config.methods, &config.allowed_origins);
    let is_allowed = |origin: &str| origins.iter().any(|allowed| allowed == origin);
    if !origins.is_empty() && !handshake.header("origin").all(is_allowed) {
        return Err(Reason::Origin);
    }
    if methods.token
        && let Some(token) = agreed(token::candidates(handshake, methods.jwt), MAX_CREDENTIAL_BYTES)?
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
        && let Some(client_id) = agreed(open::candidates(handshake), MAX_CREDENTIAL_BYTES)?
    {
        return Ok(Credential::Open(client_id));
    }
    Err(Reason::NoCredential)
}

/// The one credential of at most `most` bytes that all places agree on, if there is any.
pub(crate) fn agreed<'a>(
    candidates: impl Iterator<Item = &'a str>,
    most: usize,
) -> Result<Option<&'a str>, Reason> {
    let mut found = None;
    for candidate in candidates {
        if candidate.len() > most {
            return Err(Reason::Oversized { bytes: candidate.len(), most });
        }
        if found.is_some_and(|other| other != candidate) {
            return Err(Reason::Conflicting);
        }
        found = Some(candidate);
    }
    Ok(found)
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
    fn a_token_is_found_in_the_query_and_in_the_subprotocols() {
        let query = handshake(&[("x", "y"), ("token", "t")], &[]);
        assert_eq!(select(&query, ALL).unwrap(), Credential::Token("t"));
        let offers = handshake(&[], &["tidings.v1", "token.t"]);
        assert_eq!(select(&offers, ALL).unwrap(), Credential::Token("t"));
        let both = handshake(&[("token", "t")], &["token.t"]);
        assert_eq!(select(&both, ALL).unwrap(), Credential::Token("t"));
    }

    #[test]
    fn places_that_disagree_are_refused() {
        let both = handshake(&[("token", "t")], &["tidings.v1", "token.u"]);
        assert!(matches!(select(&both, ALL), Err(Reason::Conflicting)));
        let twice = handshake(&[("token", "t"), ("token", "u")], &[]);
        assert!(matches!(select(&twice, ALL), Err(Reason::Conflicting)));
    }

    #[test]
    fn a_token_goes_before_a_client_id_and_an_empty_credential_is_none() {
        let both = handshake(&[("client_id", "c"), ("token", "t")], &[]);
        assert_eq!(select(&both, ALL).unwrap(), Credential::Token("t"));
        let empty = handshake(&[("client_id", "c"), ("token", "")], &["token."]);
        assert_eq!(select(&empty, ALL).unwrap(), Credential::Open("c"));
    }

    #[test]
    fn a_method_that_is_off_finds_nothing() {
        let both = handshake(&[("client_id", "c"), ("token", "t")], &[]);
        assert!(matches!(select(&both, Methods::NONE), Err(Reason::NoCredential)));
        let open = handshake(&[("client_id", "c")], &[]);
        assert!(matches!(select(&open, Methods::default()), Err(Reason::NoCredential)));
    }

    #[test]
    fn an_oversized_credential_is_refused() {
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
