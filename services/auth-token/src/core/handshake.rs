//! A WebSocket handshake, as the authorizer sees it.

use std::fmt;

/// The header with the subprotocols that a client offers.
const SUBPROTOCOL_HEADER: &str = "sec-websocket-protocol";

/// The parts of a WebSocket handshake that can carry a credential.
///
/// `Debug` shows only names, because any value may be a secret.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Handshake {
    /// The query parameters, percent-decoded, in the order of the URL.
    pub query: Vec<(String, String)>,
    /// The headers. Names are case-insensitive.
    pub headers: Vec<(String, String)>,
    /// The subprotocols that the client offers, in its order of preference.
    pub subprotocols: Vec<String>,
}

impl Handshake {
    /// Creates a handshake. Its subprotocols are taken from the `Sec-WebSocket-Protocol` headers, lists
    /// separated by commas.
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

    /// Returns the values of the query parameter `name` that are not empty.
    pub(crate) fn query<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.query
            .iter()
            .filter(move |(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// Returns all values of the header `name`.
    pub(crate) fn header<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Returns the values of the cookie `name` that are not empty, without surrounding quotation marks (RFC
    /// 6265, section 4.2). Cookie names are case-sensitive.
    pub(crate) fn cookie<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.header("cookie")
            .flat_map(|list| list.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(move |(key, _)| *key == name)
            .map(|(_, value)| {
                value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
            })
            .filter(|value| !value.is_empty())
    }

    /// Returns the text after `prefix` of every subprotocol that begins with it and is longer.
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
    fn subprotocol_header_is_case_insensitive() {
        let headers = vec![
            ("SEC-WebSocket-Protocol".to_owned(), "tidings.v1, token.abc ,,".to_owned()),
            ("sec-websocket-protocol".to_owned(), "other".to_owned()),
        ];
        let handshake = Handshake::new(Vec::new(), headers);
        assert_eq!(handshake.subprotocols, ["tidings.v1", "token.abc", "other"]);
        assert_eq!(handshake.subprotocol("token.").collect::<Vec<_>>(), ["abc"]);
    }

    #[test]
    fn cookies_are_found_by_their_names() {
        let cookies = |text: &str| Handshake::new(Vec::new(), vec![("COOKIE".to_owned(), text.to_owned())]);
        let auth = |text: &str| cookies(text).cookie("auth").map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(auth("a=b; auth=x.y.z;auth=\"q\" ; Auth=no; auth; auth=; xauth=no"), ["x.y.z", "q"]);
        assert_eq!(auth("auth=a=b"), ["a=b"]);
        assert!(auth("").is_empty() && auth(";;=;").is_empty());
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
