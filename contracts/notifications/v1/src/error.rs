//! Errors in queue entries and requests, in words a producer can act on.

use crate::identifiers::InvalidIdentifier;
use crate::sequence::InvalidSequence;
use crate::version::UnknownVersion;

/// Longest `kind` and longest `source` of a notification, in bytes.
pub const MAX_LABEL_BYTES: usize = 256;

/// Reasons for refusing a queue entry or a producer's request.
#[derive(Debug, thiserror::Error)]
pub enum InvalidNotification {
    /// The body is not JSON.
    #[error("not a valid JSON notification")]
    Json(#[from] serde_json::Error),
    /// The body is JSON and not an object.
    #[error(
        "not a valid JSON notification: it is {found}, and must be an object such as \
         {{\"userId\": \"alice\", \"payload\": 1}}"
    )]
    NotAnObject {
        /// Kind of the JSON value found.
        found: &'static str,
    },
    /// A field has a value that it can't have.
    #[error("{field:?} is {found}; it must be {expected}")]
    Value {
        /// The field's name on the wire.
        field: &'static str,
        /// The value as JSON, cut to 64 characters, or the kind of an array or object.
        found: String,
        /// The allowed values.
        expected: &'static str,
    },
    /// A field is given more than once.
    #[error("the field {field:?} is given twice")]
    Repeated {
        /// The field's name on the wire.
        field: &'static str,
    },
    /// The body has another version of the contract.
    #[error(transparent)]
    Version(#[from] UnknownVersion),
    /// The user id, notification id or hub name is illegal.
    #[error(transparent)]
    Identifier(#[from] InvalidIdentifier),
    /// The sequence of a replay entry is illegal.
    #[error(transparent)]
    Sequence(#[from] InvalidSequence),
    /// A required field is missing.
    #[error("the field {field:?} is missing")]
    Missing {
        /// The field's name on the wire.
        field: &'static str,
    },
    /// A request has a field that no request has.
    #[error("the field {found:?} is unknown; {hint}")]
    UnknownField {
        /// The field's name, cut to 64 characters.
        found: String,
        /// The field that was probably meant, or the known ones.
        hint: String,
    },
    /// The time of expiry is not in milliseconds.
    #[error(
        "\"expiresAt\" is {found}, which is in the year 1970 to 1973; it must be in milliseconds since 1970 ({}), \
         not in seconds and not a duration",
        found.saturating_mul(1_000)
    )]
    ExpiresInSeconds {
        /// The number found.
        found: u64,
    },
    /// The notification has expired before it was sent.
    #[error(
        "\"expiresAt\" is {found}, which is past; the server's time is {now}, in milliseconds since 1970"
    )]
    Expired {
        /// The time found.
        found: u64,
        /// The time of the check.
        now: u64,
    },
    /// The body has both `payload` and `message`.
    #[error("both \"payload\" and \"message\" are given; give one of them")]
    PayloadTwice,
    /// Arrays and objects in the payload are nested too deep.
    #[error("the payload has more than {levels} levels of arrays and objects; allowed are at most {levels}")]
    TooDeep {
        /// The number of levels that is allowed.
        levels: usize,
    },
    /// The `type` is not that of a queue entry.
    #[error("type {found:?} is unknown; known are \"notification\", \"replay\" and \"fan-out\"")]
    UnknownType {
        /// The type found, cut to 64 characters.
        found: String,
    },
    /// The `kind` or `source` is longer than [`MAX_LABEL_BYTES`].
    #[error("{field:?} has {length} bytes; allowed are at most {MAX_LABEL_BYTES}")]
    LabelTooLong {
        /// `kind` or `source`.
        field: &'static str,
        /// Its length in bytes.
        length: usize,
    },
}
