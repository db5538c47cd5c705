//! Refusals of handshakes: the answer for the client, and the reason for logs and metrics.

use std::fmt;

use contract_frames_v1::UnknownSubprotocol;
use contract_notifications_v1::InvalidIdentifier;
use shared_ports::PortError;

use super::connect_claims::InvalidClaims;
use super::jwt::InvalidJwt;
use super::revocation::Revoked;
use super::signature::InvalidSignature;

/// The HTTP status of a refused handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// 400: the credential is incomplete, or the gateway speaks no subprotocol that the client offers. The
    /// client must be corrected.
    BadRequest,
    /// 401: the handshake has no credential.
    Unauthorized,
    /// 403: the credential is invalid.
    Forbidden,
    /// 500: the gateway failed. The credential may be valid.
    InternalServerError,
}

impl Status {
    /// Returns the status code.
    pub const fn code(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::InternalServerError => 500,
        }
    }

    /// Returns the text for the client, which says no more than the status code.
    pub const fn message(self) -> &'static str {
        match self {
            Self::BadRequest => "Bad Request",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::InternalServerError => "Internal Server Error",
        }
    }
}

/// Reasons for refusing a handshake, for logs and metrics and never for the client. They contain no part of a
/// credential.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// The handshake has no credential of an enabled method.
    #[error("there is no credential")]
    NoCredential,
    /// The credential is longer than [`MAX_CREDENTIAL_BYTES`](crate::MAX_CREDENTIAL_BYTES), or is a JSON Web
    /// Token longer than [`MAX_JWT_BYTES`](crate::MAX_JWT_BYTES).
    #[error("the credential has {bytes} bytes; allowed are at most {most}")]
    Oversized {
        /// Length of the credential, in bytes.
        bytes: usize,
        /// Longest length allowed, in bytes.
        most: usize,
    },
    /// The gateway speaks no subprotocol that the client offers.
    #[error(transparent)]
    Subprotocol(#[from] UnknownSubprotocol),
    /// Some of the three headers of a signed handshake are missing.
    #[error("the handshake has some of the headers X-Session, X-Date-Time and X-Signature, but not all")]
    Incomplete,
    /// The handshake is from a web page whose origin is not allowed.
    #[error("the handshake's origin is not allowed")]
    Origin,
    /// The credential is a cookie, and there is no `Origin` header with the page that caused the handshake.
    #[error("the handshake has a cookie as its credential, but no origin")]
    CookieWithoutOrigin,
    /// The handshake has different credentials of one method.
    #[error("the handshake has several credentials that disagree")]
    Conflicting,
    /// The text does not have the form of a token.
    #[error("the token is not base64url")]
    Encoding,
    /// The token was never issued, was used before, or was deleted after its lifetime.
    #[error("the token is unknown or was used before")]
    UnknownToken,
    /// The ciphertext is not this gateway's, or has another encryption context.
    #[error("the token can't be decrypted under this gateway's encryption context")]
    Undecryptable,
    /// The claims of the connect token are invalid.
    #[error(transparent)]
    Claims(#[from] InvalidClaims),
    /// The `client_id` or `session` of the query is not a legal user id.
    #[error("the client_id or session is not a user id: {0}")]
    ClientId(InvalidIdentifier),
    /// The JSON Web Token is invalid.
    #[error("the JSON Web Token is refused: {0}")]
    Jwt(InvalidJwt),
    /// The signed headers are invalid.
    #[error("the signed handshake is refused: {0}")]
    Hmac(InvalidSignature),
    /// The credential is valid but for a revocation.
    #[error(transparent)]
    Revoked(#[from] Revoked),
    /// A port failed.
    #[error(transparent)]
    Unavailable(#[from] PortError),
}

impl Reason {
    /// Returns the HTTP status for this reason.
    pub const fn status(&self) -> Status {
        match self {
            Self::NoCredential => Status::Unauthorized,
            Self::Incomplete | Self::Subprotocol(_) => Status::BadRequest,
            Self::Unavailable(_) => Status::InternalServerError,
            Self::Oversized { .. }
            | Self::Origin
            | Self::CookieWithoutOrigin
            | Self::Jwt(_)
            | Self::Hmac(_)
            | Self::Revoked(_)
            | Self::Conflicting
            | Self::Encoding
            | Self::UnknownToken
            | Self::Undecryptable
            | Self::Claims(_)
            | Self::ClientId(_) => Status::Forbidden,
        }
    }

    /// Returns a short fixed name, the label in metrics.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::NoCredential => "no-credential",
            Self::Oversized { .. } => "oversized",
            Self::Subprotocol(_) => "subprotocol",
            Self::Incomplete => "incomplete",
            Self::Origin => "origin",
            Self::CookieWithoutOrigin => "cookie-without-origin",
            Self::Jwt(invalid) => invalid.label(),
            Self::Hmac(invalid) => invalid.label(),
            Self::Conflicting => "conflicting",
            Self::Encoding => "encoding",
            Self::UnknownToken => "unknown-token",
            Self::Undecryptable => "undecryptable",
            Self::Claims(InvalidClaims::Form(_)) => "claims-form",
            Self::Claims(InvalidClaims::Version(_)) => "claims-version",
            Self::Claims(InvalidClaims::Issuer) => "issuer",
            Self::Claims(InvalidClaims::Audience) => "audience",
            Self::Claims(InvalidClaims::Expired { .. }) => "expired",
            Self::ClientId(_) => "client-id",
            Self::Revoked(Revoked::Blocked) => "blocked",
            Self::Revoked(Revoked::SignedOut) => "signed-out",
            Self::Revoked(Revoked::Token) => "revoked-token",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

impl From<InvalidJwt> for Reason {
    fn from(invalid: InvalidJwt) -> Self {
        Self::Jwt(invalid)
    }
}

impl From<InvalidSignature> for Reason {
    fn from(invalid: InvalidSignature) -> Self {
        Self::Hmac(invalid)
    }
}

/// A refused handshake. Its text is for the client, and its source is the [`Reason`]. `core::hint` decides
/// which reasons a client is told.
#[derive(Debug)]
pub struct Refusal {
    reason: Reason,
}

impl Refusal {
    /// Returns the HTTP status.
    pub const fn status(&self) -> Status {
        self.reason.status()
    }

    /// Returns the text for the client. About a credential it says no more than the status.
    pub const fn message(&self) -> &'static str {
        match &self.reason {
            Reason::Subprotocol(_) => UnknownSubprotocol::MESSAGE,
            reason => reason.status().message(),
        }
    }

    /// Returns the reason, which is not for the client.
    pub const fn reason(&self) -> &Reason {
        &self.reason
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_depends_on_the_reason() {
        let status = |reason: Reason| Refusal::from(reason).status().code();
        assert_eq!(status(Reason::NoCredential), 401);
        assert_eq!(status(Reason::Incomplete), 400);
        assert_eq!(status(UnknownSubprotocol.into()), 400);
        for reason in [Reason::Conflicting, Reason::UnknownToken, InvalidClaims::Audience.into()] {
            assert_eq!(status(reason), 403);
        }
        assert_eq!(status(PortError::retryable("taking", "down").into()), 500);
        assert_eq!(status(PortError::permanent("taking", "access denied").into()), 500);
    }

    #[test]
    fn client_sees_no_reason_for_a_bad_credential() {
        let texts = [Reason::UnknownToken, Reason::Undecryptable, InvalidClaims::Issuer.into()]
            .map(|reason| Refusal::from(reason).to_string());
        assert_eq!(texts, ["Forbidden"; 3]);
    }
}
