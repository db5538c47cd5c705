//! Reasons for refusing a JSON Web Token.

use contract_notifications_v1::InvalidIdentifier;

/// Reasons for refusing a token. They contain no part of the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJwt {
    /// The text is not a JSON Web Token with the required claims. The field says which part is wrong.
    #[error("it is not a valid JSON Web Token: {0}")]
    Form(&'static str),
    /// Its header requires extensions that are not supported (RFC 7515, section 4.1.11).
    #[error("its header requires unsupported extensions (crit)")]
    Critical,
    /// It was signed with another algorithm or key, or was altered.
    #[error("its signature was not made with the issuer's algorithm and key")]
    Signature,
    /// The issuer has no key with the token's `kid`.
    #[error("its issuer has no key with its kid")]
    UnknownKey,
    /// Its issuer is not trusted.
    #[error("its issuer is not trusted")]
    Issuer,
    /// It is for another audience.
    #[error("it is for another audience")]
    Audience,
    /// It has neither `sub` nor `user_id`, or `user_id` is not a text.
    #[error("it has no subject")]
    NoSubject,
    /// Its subject is not a legal user id.
    #[error("its subject is not a user id: {0}")]
    Subject(InvalidIdentifier),
    /// Its user id is one of another issuer's.
    #[error("its subject begins with the prefix of another issuer's users")]
    ForeignUser,
    /// Its `typ` is that of tokens for another purpose.
    #[error("its type (typ) is not accepted")]
    Type,
    /// It is valid for longer than its issuer's tokens may be.
    #[error("it is valid for {seconds} s; allowed are at most {most} s between iat and exp")]
    Lifetime {
        /// Time from its issue to its expiry, in seconds.
        seconds: u64,
        /// Longest time allowed, in seconds.
        most: u64,
    },
    /// The user's id, name and hubs don't fit into the answer of an authorizer.
    #[error("its user id, name and hubs take {bytes} bytes; allowed are at most {most}")]
    TooLarge {
        /// Their size as JSON, in bytes.
        bytes: usize,
        /// Largest size allowed, in bytes.
        most: usize,
    },
    /// It has expired.
    #[error("it expired {seconds} s ago")]
    Expired {
        /// Time since the expiry, in seconds.
        seconds: u64,
    },
    /// It says that it was issued later than now. A sign-out of all devices would not end it.
    #[error(
        "its time of issue (iat) is {seconds} s ahead; allowed are at most {most} s, for clocks that differ"
    )]
    IssuedAhead {
        /// Time until then, in seconds.
        seconds: u64,
        /// Longest time allowed, in seconds.
        most: u64,
    },
    /// It is not valid yet.
    #[error("it is not valid for another {seconds} s")]
    NotYet {
        /// Time until it is valid, in seconds.
        seconds: u64,
    },
}

impl InvalidJwt {
    /// Returns a short fixed name, the label in metrics.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Form(_) => "jwt-form",
            Self::Critical => "jwt-critical",
            Self::Signature => "jwt-signature",
            Self::UnknownKey => "jwt-unknown-key",
            Self::Issuer => "jwt-issuer",
            Self::Audience => "jwt-audience",
            Self::NoSubject | Self::Subject(_) => "jwt-subject",
            Self::ForeignUser => "jwt-foreign-user",
            Self::Type => "jwt-type",
            Self::Lifetime { .. } => "jwt-lifetime",
            Self::TooLarge { .. } => "jwt-too-large",
            Self::Expired { .. } => "jwt-expired",
            Self::IssuedAhead { .. } => "jwt-issued-ahead",
            Self::NotYet { .. } => "jwt-not-yet",
        }
    }
}
