//! Which credential a handshake presents.

use std::fmt;

use super::handshake::Handshake;
use super::refusal::Reason;
use super::token::MAX_CREDENTIAL_BYTES;
use crate::config::Methods;
use crate::methods::{open, token};

/// A credential, not yet checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential<'a> {
    /// A single-use connect token.
    Token(&'a str),
    /// A client's word for who it is.
    Open(&'a str),
}

impl fmt::Debug for Credential<'_> {
    /// Only which method.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token",
            Self::Open(_) => "Open",
        })
    }
}

/// Finds the credential of the first method that is on and has one; the order is that of proof, strongest
/// first.
pub(crate) fn select(handshake: &Handshake, methods: Methods) -> Result<Credential<'_>, Reason> {
    if methods.token
        && let Some(token) = agreed(token::candidates(handshake))?
    {
        return Ok(Credential::Token(token));
    }
    if methods.open
        && let Some(client_id) = agreed(open::candidates(handshake))?
    {
        return Ok(Credential::Open(client_id));
    }
    Err(Reason::NoCredential)
}

/// The one credential that all places agree on, if there is any.
fn agreed<'a>(candidates: impl Iterator<Item = &'a str>) -> Result<Option<&'a str>, Reason> {
    let mut found = None;
    for candidate in candidates {
        if candidate.len() > MAX_CREDENTIAL_BYTES {
            return Err(Reason::Oversized { bytes: candidate.len() });
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

    const ALL: Methods = Methods { token: true, open: true };

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
        assert!(matches!(select(&both, Methods { token: false, open: false }), Err(Reason::NoCredential)));
        let open = handshake(&[("client_id", "c")], &[]);
        assert!(matches!(select(&open, Methods::default()), Err(Reason::NoCredential)));
    }

    #[test]
    fn an_oversized_credential_is_refused() {
        let largest = "t".repeat(MAX_CREDENTIAL_BYTES);
        assert!(select(&handshake(&[("token", &largest)], &[]), ALL).is_ok());
        let oversized = handshake(&[("token", &format!("{largest}t"))], &[]);
        assert!(matches!(select(&oversized, ALL), Err(Reason::Oversized { bytes: 4097 })));
    }

    #[test]
    fn debug_shows_no_credential() {
        assert_eq!(format!("{:?}", Credential::Token("SECRET")), "Token");
    }
}
