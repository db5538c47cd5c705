//! A WebSocket handshake as the authorizer sees it.

use std::fmt;

/// The header that carries the subprotocols a client offers.
const SUBPROTOCOL_HEADER: &str = "sec-websocket-protocol";

/// The parts of a WebSocket handshake that can carry a credential.
///
/// Its `Debug` shows names only: any value may be a secret.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Handshake {
    /// The query's parameters, percent-decoded, in the order of the URL.
    pub query: Vec<(String, String)>,
    /// The headers; names are compared without regard to case.
    pub headers: Vec<(String, String)>,
    /// The subprotocols the client offers, in its order of preference.
    pub subprotocols: Vec<String>,
}

impl Handshake {
    /// A handshake whose subprotocols stand in its `Sec-WebSocket-Protocol` headers, each a list separated
    /// by commas.
    pub fn new(query: Vec<(String, String)>, headers: Vec<(String, String)>) -> Self {
        let mut handshake = Self { query, headers, subprotocols: Vec::new() };
        handshake.subprotocols = handshake
            .header(SUBPROTOCOL_HEADER)
            .flat_map(|list| list.split(','))
            .map(|offer| offer.trim().to_owned())
            .filter(|offer| !offer.is_empty())
            .collect();
        handshake
    }

    /// Every value of the query parameter `name` that is not empty.
    pub(crate) fn query<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.query
            .iter()
            .filter(move |(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// Every value of the header `name`.
    pub(crate) fn header<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// What follows `prefix` in every subprotocol that begins with it and does not end there.
    pub(crate) fn subprotocol<'a>(&'a self, prefix: &str) -> impl Iterator<Item = &'a str> {
        self.subprotocols
            .iter()
            .filter_map(move |offer| offer.strip_prefix(prefix))
            .filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            |pairs: &[(String, String)]| pairs.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        f.debug_struct("Handshake")
            .field("query", &names(&self.query))
            .field("headers", &names(&self.headers))
            .field("subprotocols", &self.subprotocols.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subprotocols_come_from_the_header_in_any_case() {
        let headers = vec![
            ("SEC-WebSocket-Protocol".to_owned(), "tidings.v1, token.abc ,,".to_owned()),
            ("sec-websocket-protocol".to_owned(), "other".to_owned()),
        ];
        let handshake = Handshake::new(Vec::new(), headers);
        assert_eq!(handshake.subprotocols, ["tidings.v1", "token.abc", "other"]);
        assert_eq!(handshake.subprotocol("token.").collect::<Vec<_>>(), ["abc"]);
    }

    #[test]
    fn debug_shows_no_value() {
        let handshake = Handshake::new(
            vec![("token".to_owned(), "SECRET".to_owned())],
            vec![
                ("Sec-WebSocket-Protocol".to_owned(), "token.SECRET".to_owned()),
                ("Cookie".to_owned(), "auth=SECRET".to_owned()),
            ],
        );
        let text = format!("{handshake:?}");
        assert!(!text.contains("SECRET") && text.contains("Cookie"), "{text}");
    }
}
