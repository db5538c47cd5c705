//! Hints: the reasons for a refusal that a client may see.

use super::jwt::InvalidJwt;
use super::refusal::{Reason, Refusal, Status};
use super::signature::InvalidSignature;

impl Refusal {
    /// Returns the reason as a hint for the client, if it is harmless: if it says what the client itself can see
    /// of its request, such as a missing header or a time that is too old. Whether a secret, a key, a token or an
    /// audience is known here, is no hint.
    pub fn hint(&self) -> Option<String> {
        let reason = self.reason();
        let is_harmless = match reason {
            Reason::Jwt(invalid) => !matches!(
                invalid,
                InvalidJwt::Signature
                    | InvalidJwt::UnknownKey
                    | InvalidJwt::Issuer
                    | InvalidJwt::Audience
                    | InvalidJwt::ForeignUser
            ),
            Reason::Hmac(invalid) => {
                !matches!(invalid, InvalidSignature::Mismatch | InvalidSignature::Replayed)
            }
            Reason::NoCredential
            | Reason::Subprotocol(_)
            | Reason::Oversized { .. }
            | Reason::Incomplete
            | Reason::Origin
            | Reason::CookieWithoutOrigin
            | Reason::Conflicting
            | Reason::Revoked(_)
            | Reason::ClientId(_) => true,
            Reason::Encoding
            | Reason::UnknownToken
            | Reason::Undecryptable
            | Reason::Claims(_)
            | Reason::Unavailable(_) => false,
        };
        is_harmless.then(|| reason.to_string())
    }

    /// Logs the refusal under the id of its request, with the client's address and the reason, in which no secret is.
    pub fn log(&self, request_id: &str, address: &str) {
        let reason = self.reason();
        if self.status() == Status::InternalServerError {
            let error = shared_telemetry::chain(reason);
            tracing::error!(request_id, address, error, "handshake not decided: a port failed");
        } else {
            let status = self.status().code();
            tracing::info!(request_id, address, status, %reason, "handshake refused");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(reason: impl Into<Reason>) -> Option<String> {
        Refusal::from(reason.into()).hint()
    }

    #[test]
    fn client_learns_what_it_can_see_itself() {
        let stale = hint(InvalidSignature::Stale { seconds: 400 }).unwrap();
        assert!(stale.contains("400 s ago"), "{stale}");
        assert!(hint(InvalidJwt::Form("exp is missing")).unwrap().contains("exp is missing"));
        assert!(hint(Reason::Incomplete).unwrap().contains("X-Date-Time"));
        assert!(hint(Reason::NoCredential).is_some());
    }

    #[test]
    fn client_learns_nothing_about_secrets_keys_and_tokens() {
        for reason in [
            Reason::UnknownToken,
            Reason::Undecryptable,
            Reason::Encoding,
            InvalidSignature::Mismatch.into(),
            InvalidSignature::Replayed.into(),
            InvalidJwt::Signature.into(),
            InvalidJwt::UnknownKey.into(),
            InvalidJwt::Issuer.into(),
            InvalidJwt::Audience.into(),
            InvalidJwt::ForeignUser.into(),
        ] {
            assert_eq!(hint(reason), None);
        }
    }
}
