//! What can be wrong with a queue entry, in words a producer can act on.

use crate::{MAX_LABEL_BYTES, VERSION};

/// Most bytes of what `serde_json` says about a body, its place aside.
const MAX_JSON_ERROR_BYTES: usize = 256;

/// A user id, notification id or hub name that SQS would not take as a message group or deduplication ID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdentifier {
    /// Zero characters.
    #[error("{what} is empty; allowed are 1 to {max} characters")]
    Empty {
        /// Which identifier.
        what: &'static str,
        /// How many characters it may have.
        max: usize,
    },
    /// Too many characters.
    #[error("{what} has {length} characters; allowed are 1 to {max}")]
    TooLong {
        /// Which identifier.
        what: &'static str,
        /// Its length in characters.
        length: usize,
        /// How many characters it may have.
        max: usize,
    },
    /// A character outside printable ASCII.
    #[error(
        "{what} has the character {character:?} at position {position}; allowed are the letters a-z and A-Z, \
         digits, and the punctuation !\"#$%&'()*+,-./:;<=>?@[\\]^_`{{|}}~"
    )]
    IllegalCharacter {
        /// Which identifier.
        what: &'static str,
        /// The first offending character.
        character: char,
        /// Its position, counted in characters from 0.
        position: usize,
    },
}

/// A sequence that is not 1 to 39 decimal digits of a 128-bit number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a sequence; a sequence is a 128-bit number in 1 to 39 decimal digits")]
pub struct InvalidSequence {
    /// What stood in its place, cut to 64 characters.
    pub found: String,
}

/// A contract version this build does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("version {found} is unknown; known is version {VERSION}")]
pub struct UnknownVersion {
    /// The version found.
    pub found: u32,
}

/// Why a queue entry or a producer's request is refused.
#[derive(Debug, thiserror::Error)]
pub enum InvalidNotification {
    /// Not JSON, or a field of the wrong JSON type.
    #[error("not a valid JSON notification")]
    Json(#[from] serde_json::Error),
    /// Another version of the contract.
    #[error(transparent)]
    Version(#[from] UnknownVersion),
    /// An illegal user id or notification id.
    #[error(transparent)]
    Identifier(#[from] InvalidIdentifier),
    /// An illegal sequence in a replay entry.
    #[error(transparent)]
    Sequence(#[from] InvalidSequence),
    /// A field that must be there is not.
    #[error("the field {field:?} is missing")]
    Missing {
        /// The field's name on the wire.
        field: &'static str,
    },
    /// Both spellings of the payload.
    #[error("both \"payload\" and \"message\" are given; give one of them")]
    PayloadTwice,
    /// A `type` that names no queue entry.
    #[error("type {found:?} is unknown; known are \"notification\", \"replay\" and \"fan-out\"")]
    UnknownType {
        /// The type found, cut to 64 characters.
        found: String,
    },
    /// A `kind` or `source` beyond [`MAX_LABEL_BYTES`].
    #[error("{field:?} has {length} bytes; allowed are at most {MAX_LABEL_BYTES}")]
    LabelTooLong {
        /// `kind` or `source`.
        field: &'static str,
        /// Its length in bytes.
        length: usize,
    },
}

/// Cuts untrusted text before it goes into an error message.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}

/// Cuts the text of an error that quotes its input, as `serde_json` does with a value of the wrong type.
pub(crate) fn bounded(error: serde_json::Error) -> serde_json::Error {
    let text = error.to_string();
    if text.len() <= MAX_JSON_ERROR_BYTES {
        return error;
    }
    let start = &text[..text.floor_char_boundary(MAX_JSON_ERROR_BYTES)];
    let (line, column) = (error.line(), error.column());
    serde::de::Error::custom(format_args!("{start}… at line {line} column {column}"))
}
