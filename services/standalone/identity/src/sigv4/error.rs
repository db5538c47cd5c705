//! Why a signature proves nothing.

/// Why a request's signature proves nothing. What comes from the request is shown only where it helps and
/// cannot be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigV4Error {
    /// Neither a header nor the query carries a signature.
    #[error("the request is not signed")]
    NotSigned,
    /// Both a header and the query carry a signature.
    #[error("the request is signed both in its Authorization header and in its query")]
    SignedTwice,
    /// Something that must be there once is there several times.
    #[error("{name:?} is there more than once")]
    Repeated {
        /// Of a header or of a part of the signature.
        name: &'static str,
    },
    /// Another algorithm.
    #[error("the signature's algorithm must be AWS4-HMAC-SHA256")]
    Algorithm,
    /// A part of the signature is missing.
    #[error("the signature has no {name:?}")]
    Missing {
        /// Of the part.
        name: &'static str,
    },
    /// A part of the signature has not the form it must have.
    #[error("{name:?} of the signature must be {expected}")]
    Form {
        /// Of the part.
        name: &'static str,
        /// Its form.
        expected: &'static str,
    },
    /// The signature has a part nobody knows.
    #[error("the Authorization header has an unknown part; it has Credential, SignedHeaders and Signature")]
    UnknownPart,
    /// The scope is of another day than the signature.
    #[error("the date in the credential scope is not that of X-Amz-Date")]
    ScopeDate,
    /// Signed for another service.
    #[error("the request must be signed for the service {expected:?}")]
    Service {
        /// The service.
        expected: &'static str,
    },
    /// Signed in the future.
    #[error("the request was signed {seconds} s in the future; check the signer's clock")]
    TooEarly {
        /// How far ahead.
        seconds: u64,
    },
    /// Signed too long ago.
    #[error("the request was signed {seconds} s ago and was good for {lifetime} s; check the signer's clock")]
    TooLate {
        /// How long ago.
        seconds: u64,
        /// How long it was good.
        lifetime: u64,
    },
    /// A header is said to be signed and is not there.
    #[error("the header {name:?} is among the signed ones, but not in the request")]
    Absent {
        /// Of the header.
        name: String,
    },
    /// A header is there that must be signed and is not.
    #[error("the header {name:?} must be among the signed ones")]
    Unsigned {
        /// Of the header.
        name: String,
    },
    /// A session token: this server gives no temporary credentials.
    #[error("a session token (X-Amz-Security-Token) is not accepted: use the server's own key pair")]
    SessionToken,
    /// The body is not signed, or in a way that only S3 knows.
    #[error(
        "X-Amz-Content-Sha256 must be the SHA-256 of the body: unsigned and streamed bodies are not accepted"
    )]
    UnsignedBody,
    /// The body is not the one declared.
    #[error("X-Amz-Content-Sha256 is not the SHA-256 of the body in lower-case hex")]
    Body,
    /// Another key pair.
    #[error("the access key id is not this server's")]
    UnknownAccessKey,
    /// Another secret, or the request was changed on the way.
    #[error(
        "the signature does not match: check the secret access key, and that nothing changes method, path, \
         query, signed headers or body on the way"
    )]
    Mismatch,
}

impl SigV4Error {
    /// What API Gateway would say in `x-amzn-ErrorType`; its status is 403 for all of them.
    pub const fn aws_error_type(&self) -> &'static str {
        match self {
            Self::NotSigned => "MissingAuthenticationTokenException",
            Self::SignedTwice
            | Self::Repeated { .. }
            | Self::Algorithm
            | Self::Missing { .. }
            | Self::Form { .. }
            | Self::UnknownPart => "IncompleteSignatureException",
            Self::UnknownAccessKey | Self::SessionToken => "UnrecognizedClientException",
            Self::ScopeDate
            | Self::Service { .. }
            | Self::TooEarly { .. }
            | Self::TooLate { .. }
            | Self::Absent { .. }
            | Self::Unsigned { .. }
            | Self::UnsignedBody
            | Self::Body
            | Self::Mismatch => "InvalidSignatureException",
        }
    }
}
