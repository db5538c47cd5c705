//! How a handshake is refused: what the client is told, and what the log is.

use std::fmt;

use contract_notifications_v1::InvalidIdentifier;
use shared_ports::PortError;

use super::claims::InvalidClaims;
use super::jwt::InvalidJwt;
use super::signature::InvalidSignature;

/// The HTTP status that answers a refused handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// 400: half a credential; the client has to be corrected.
    BadRequest,
    /// 401: there is no credential.
    Unauthorized,
    /// 403: there is a credential, and it is bad.
    Forbidden,
    /// 500: the gateway's own fault; the credential may be good.
    InternalServerError,
}

impl Status {
    /// The status code.
    pub const fn code(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::InternalServerError => 500,
        }
    }

    /// What the client is told: no more than the status code says.
    pub const fn message(self) -> &'static str {
        match self {
            Self::BadRequest => "Bad Request",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::InternalServerError => "Internal Server Error",
        }
    }
}

/// Why a handshake is refused; for logs and metrics, never for the client. Holds no credential.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// No credential of a method that is on.
    #[error("there is no credential")]
    NoCredential,
    /// Longer than [`MAX_CREDENTIAL_BYTES`](crate::MAX_CREDENTIAL_BYTES), or a JSON Web Token longer than
    /// [`MAX_JWT_BYTES`](crate::MAX_JWT_BYTES).
    #[error("the credential has {bytes} bytes; allowed are at most {most}")]
    Oversized {
        /// Its length.
        bytes: usize,
        /// What is allowed.
        most: usize,
    },
    /// Some of the three headers of a signed handshake, not all.
    #[error("the handshake has some of the headers X-Session, X-Date-Time and X-Signature, but not all")]
    Incomplete,
    /// Sent by a web page of an origin that is not allowed.
    #[error("the handshake's origin is not allowed")]
    Origin,
    /// A cookie without an origin: who sent the browser here can't be told.
    #[error("the handshake has a cookie as its credential, and no origin")]
    CookieWithoutOrigin,
    /// Several credentials of one method that are not the same.
    #[error("the handshake has several credentials that disagree")]
    Conflicting,
    /// Not of the form of a token.
    #[error("the token is not base64url")]
    Encoding,
    /// Never issued, used before, or past its lifetime and deleted.
    #[error("the token is unknown or was used before")]
    UnknownToken,
    /// Not this gateway's ciphertext, or of another encryption context.
    #[error("the token can't be decrypted under this gateway's encryption context")]
    Undecryptable,
    /// Decrypted, but proves nothing.
    #[error(transparent)]
    Claims(#[from] InvalidClaims),
    /// A `client_id` that can't be a user.
    #[error("the client_id is no user id")]
    ClientId(#[source] InvalidIdentifier),
    /// A JSON Web Token that proves nothing.
    #[error("the JSON Web Token is refused: {0}")]
    Jwt(InvalidJwt),
    /// Signed headers that prove nothing.
    #[error("the signed handshake is refused: {0}")]
    Hmac(InvalidSignature),
    /// The gateway could not find out.
    #[error(transparent)]
    Unavailable(#[from] PortError),
}

impl Reason {
    /// The status that answers it.
    pub const fn status(&self) -> Status {
        match self {
            Self::NoCredential => Status::Unauthorized,
            Self::Incomplete => Status::BadRequest,
            Self::Unavailable(_) => Status::InternalServerError,
            Self::Oversized { .. }
            | Self::Origin
            | Self::CookieWithoutOrigin
            | Self::Jwt(_)
            | Self::Hmac(_)
            | Self::Conflicting
            | Self::Encoding
            | Self::UnknownToken
            | Self::Undecryptable
            | Self::Claims(_)
            | Self::ClientId(_) => Status::Forbidden,
        }
    }

    /// A short fixed word for it, as a metric's label.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::NoCredential => "no-credential",
            Self::Oversized { .. } => "oversized",
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

/// A refused handshake. Its text is what the client may see; its source is the [`Reason`].
#[derive(Debug)]
pub struct Refusal {
    reason: Reason,
}

impl Refusal {
    /// The status that answers the handshake.
    pub const fn status(&self) -> Status {
        self.reason.status()
    }

    /// What the client is told.
    pub const fn message(&self) -> &'static str {
        self.status().message()
    }

    /// Why; not for the client.
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
    fn statuses_tell_none_bad_and_our_fault_apart() {
        let status = |reason: Reason| Refusal::from(reason).status().code();
        assert_eq!(status(Reason::NoCredential), 401);
        assert_eq!(status(Reason::Incomplete), 400);
        for reason in [Reason::Conflicting, Reason::UnknownToken, InvalidClaims::Audience.into()] {
            assert_eq!(status(reason), 403);
        }
        assert_eq!(status(PortError::retryable("taking", "down").into()), 500);
        assert_eq!(status(PortError::permanent("taking", "access denied").into()), 500);
    }

    #[test]
    fn every_bad_credential_looks_the_same_to_the_client() {
        let texts = [Reason::UnknownToken, Reason::Undecryptable, InvalidClaims::Issuer.into()]
            .map(|reason| Refusal::from(reason).to_string());
        assert_eq!(texts, ["Forbidden"; 3]);
    }
}
