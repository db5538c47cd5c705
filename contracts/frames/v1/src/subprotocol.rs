//! The WebSocket subprotocols that a client may offer, and the one that answers it.

/// Name with which a client asks for batched frames of this version, as a WebSocket subprotocol or in the
/// `protocol` query parameter.
pub const SUBPROTOCOL: &str = "tidings.v1";

/// Beginning of the subprotocol that carries a connect token.
pub const TOKEN_SUBPROTOCOL: &str = "token.";

/// Beginning of the subprotocol that carries a JSON Web Token.
pub const JWT_SUBPROTOCOL: &str = "jwt.";

/// A client offers subprotocols, and none that the gateway speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", Self::MESSAGE)]
pub struct UnknownSubprotocol;

impl UnknownSubprotocol {
    /// The text for the client. It repeats no offer, because an offer may be a credential.
    pub const MESSAGE: &'static str = "no subprotocol that the client offers is known; offer \"tidings.v1\", \
        \"token.<connect token>\" or \"jwt.<JSON Web Token>\", or none";
}

/// Chooses the subprotocol that answers a handshake; `None` if the client offers none.
///
/// A client ends a connection whose answer has a subprotocol that it did not offer, and a browser also one
/// without a subprotocol if it offered some (RFC 6455, section 4.1). So [`SUBPROTOCOL`] answers if it is
/// offered. An offer that only carries a credential answers if all offers do.
///
/// # Errors
/// [`UnknownSubprotocol`] if the client offers others and not [`SUBPROTOCOL`]. It can't speak to this gateway.
pub fn choose_subprotocol<S: AsRef<str>>(offers: &[S]) -> Result<Option<&str>, UnknownSubprotocol> {
    let mut offers = offers.iter().map(AsRef::as_ref).filter(|offer| !offer.is_empty());
    let Some(first) = offers.clone().next() else { return Ok(None) };
    if offers.clone().any(|offer| offer == SUBPROTOCOL) {
        return Ok(Some(SUBPROTOCOL));
    }
    if offers.all(carries_credential) { Ok(Some(first)) } else { Err(UnknownSubprotocol) }
}

/// Returns true for a subprotocol that only carries a credential.
fn carries_credential(offer: &str) -> bool {
    let credential = |prefix| offer.strip_prefix(prefix).is_some_and(|credential| !credential.is_empty());
    credential(TOKEN_SUBPROTOCOL) || credential(JWT_SUBPROTOCOL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_is_always_one_of_the_offers() {
        for (offers, answer) in [
            (&[][..], Ok(None)),
            (&[""], Ok(None)),
            (&["tidings.v1"], Ok(Some("tidings.v1"))),
            (&["my-app.v2", "token.t", "tidings.v1"], Ok(Some("tidings.v1"))),
            (&["token.t"], Ok(Some("token.t"))),
            (&["jwt.a.b.c"], Ok(Some("jwt.a.b.c"))),
            (&["token.t", "jwt.a.b.c"], Ok(Some("token.t"))),
            (&["my-app.v2"], Err(UnknownSubprotocol)),
            (&["my-app.v2", "token.t"], Err(UnknownSubprotocol)),
            (&["token."], Err(UnknownSubprotocol)),
            (&["Tidings.V1"], Err(UnknownSubprotocol)),
        ] {
            assert_eq!(choose_subprotocol(offers), answer, "{offers:?}");
        }
    }
}
