//! Errors of signature verification.

/// Reasons for refusing a signature. An error quotes the request only where that helps and can't reveal a
/// secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigV4Error {
    /// Neither a header nor the query carries a signature.
    #[error("the request is not signed")]
    NotSigned,
    /// Both a header and the query carry a signature.
    #[error("the request is signed both in its Authorization header and in its query")]
    SignedTwice,
    /// A header or a part of the signature is repeated.
    #[error("{name:?} occurs more than once")]
    Repeated {
        /// Name of the header or part.
        name: &'static str,
    },
    /// The algorithm is not supported.
    #[error("the signature's algorithm must be AWS4-HMAC-SHA256")]
    Algorithm,
    /// A part of the signature is missing.
    #[error("the signature has no {name:?}")]
    Missing {
        /// Name of the part.
        name: &'static str,
    },
    /// A part of the signature does not have the required form.
    #[error("{name:?} of the signature must be {expected}")]
    Form {
        /// Name of the part.
        name: &'static str,
        /// The required form.
        expected: &'static str,
    },
    /// The signature has an unknown part.
    #[error(
        "the Authorization header has an unknown part; its parts are Credential, SignedHeaders and Signature"
    )]
    UnknownPart,
    /// The dates of the scope and the signature differ.
    #[error("the date in the credential scope differs from X-Amz-Date")]
    ScopeDate,
    /// The request is signed for another service.
    #[error("the request must be signed for the service {expected:?}")]
    Service {
        /// The required service.
        expected: &'static str,
    },
    /// The time of the signature is too far in the future.
    #[error("the request was signed {seconds} s in the future; check the signer's clock")]
    TooEarly {
        /// Seconds until the time of the signature.
        seconds: u64,
    },
    /// The signature has expired.
    #[error(
        "the request was signed {seconds} s ago and was valid for {lifetime} s; check the signer's clock"
    )]
    TooLate {
        /// Seconds since the time of the signature.
        seconds: u64,
        /// Lifetime of the signature in seconds.
        lifetime: u64,
    },
    /// A signed header is missing.
    #[error("the signed header {name:?} is not in the request")]
    Absent {
        /// Name of the header.
        name: String,
    },
    /// A header that must be signed is not.
    #[error("the header {name:?} must be signed")]
    Unsigned {
        /// Name of the header.
        name: String,
    },
    /// The request has a session token. This server issues no temporary credentials.
    #[error("a session token (X-Amz-Security-Token) is not accepted: use the server's own key pair")]
    SessionToken,
    /// The body is not signed, or signed in a way that only S3 supports.
    #[error(
        "X-Amz-Content-Sha256 must be the SHA-256 of the body: unsigned and streamed bodies are not accepted"
    )]
    UnsignedBody,
    /// The body differs from the declared one.
    #[error("X-Amz-Content-Sha256 is not the SHA-256 of the body in lower-case hex")]
    Body,
    /// The access key id is unknown.
    #[error("the access key id is not this server's")]
    UnknownAccessKey,
    /// The secret is another one, or the request was changed on the way.
    #[error(
        "the signature does not match: check the secret access key, and that nothing changes method, path, \
         query, signed headers or body on the way"
    )]
    Mismatch,
}

impl SigV4Error {
    /// Returns the value of API Gateway's header `x-amzn-ErrorType` for this error. The status is 403 for
    /// all.
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
