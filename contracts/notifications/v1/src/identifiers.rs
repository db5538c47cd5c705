//! Identifiers of notifications and hubs, and the rules that they share with user ids.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::sequence::Sequence;

/// Longest message group ID and deduplication ID of SQS, in characters
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>).
pub(crate) const MAX_CHARACTERS: usize = 128;

/// Longest hub name, in characters. With the prefix of its message group it has [`MAX_CHARACTERS`].
const MAX_HUB_CHARACTERS: usize = MAX_CHARACTERS - HUB_GROUP.len();

/// Prefix of the message groups of hubs, which tells them from users.
const HUB_GROUP: &str = "hub/";

/// Reasons for refusing a user id, notification id or hub name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum InvalidIdentifier {
    /// The JSON value is not a text.
    #[error("{what} is not a text")]
    NotText {
        /// Kind of identifier, for the message.
        what: &'static str,
    },
    /// The text is empty.
    #[error("{what} is empty; allowed are 1 to {max} characters")]
    Empty {
        /// Kind of identifier, for the message.
        what: &'static str,
        /// Largest number of characters allowed.
        max: usize,
    },
    /// The text is too long.
    #[error("{what} has {length} characters; allowed are 1 to {max}")]
    TooLong {
        /// Kind of identifier, for the message.
        what: &'static str,
        /// Number of characters found.
        length: usize,
        /// Largest number of characters allowed.
        max: usize,
    },
    /// The text has a character outside printable ASCII.
    #[error(
        "{what} has the character {character:?} at position {position}; allowed are the letters a-z and A-Z, \
         digits, and the punctuation !\"#$%&'()*+,-./:;<=>?@[\\]^_`{{|}}~"
    )]
    IllegalCharacter {
        /// Kind of identifier, for the message.
        what: &'static str,
        /// The first illegal character.
        character: char,
        /// Its position, counted in characters from 0.
        position: usize,
    },
    /// The user id has a control character.
    #[error(
        "user id has the control character {character:?} at position {position}; allowed are all characters but \
         control characters"
    )]
    ControlCharacter {
        /// The first control character.
        character: char,
        /// Its position, counted in characters from 0.
        position: usize,
    },
    /// The user id begins or ends with white space.
    #[error("user id begins or ends with white space; allowed is white space between other characters")]
    OuterWhiteSpace,
    /// The user id, which is not ASCII alone or has spaces, is too long.
    #[error("user id has {bytes} bytes; with spaces or characters beyond ASCII, allowed are at most {max}")]
    TooManyBytes {
        /// Number of bytes found, in UTF-8.
        bytes: usize,
        /// Largest number of bytes allowed.
        max: usize,
    },
    /// The user id begins like an encoded one, and is not the encoding of any.
    #[error(
        "user id begins with \"u8:\", and the rest is not the base64url, without padding, of a user id that needs \
         an encoding; write such an id as it is"
    )]
    NotCanonical,
    /// The user id is `.` or `..`.
    #[error(
        "user id is \".\" or \"..\", which a URL leaves out of its path (RFC 3986, section 5.2.4); allowed are all \
         others"
    )]
    DotSegment,
}

/// Checks the rule of all identifiers: 1 to `max` ASCII letters, digits and punctuation characters.
pub(crate) fn check_sqs_identifier(
    what: &'static str,
    max: usize,
    text: &str,
) -> Result<(), InvalidIdentifier> {
    if text.is_empty() {
        return Err(InvalidIdentifier::Empty { what, max });
    }
    // The common case needs one pass over the bytes; only a refusal looks at characters.
    if text.len() <= max && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    if let Some((position, character)) = text.chars().enumerate().find(|(_, c)| !c.is_ascii_graphic()) {
        return Err(InvalidIdentifier::IllegalCharacter { what, character, position });
    }
    Err(InvalidIdentifier::TooLong { what, length: text.chars().count(), max })
}

/// Implements the traits that all identifiers have, over their text.
macro_rules! identifier_traits {
    ($name:ident) => {
        impl $name {
            /// Returns the identifier's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidIdentifier;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                Self::new(text).map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use identifier_traits;

macro_rules! sqs_identifier {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        identifier_traits!($name);

        impl $name {
            /// Creates an identifier from a text.
            ///
            /// # Errors
            /// [`InvalidIdentifier`] when the text is empty, too long, or has an illegal character.
            pub fn new(text: impl AsRef<str> + Into<Arc<str>>) -> Result<Self, InvalidIdentifier> {
                check_sqs_identifier($what, $max, text.as_ref())?;
                Ok(Self(text.into()))
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "minLength": 1,
                    "maxLength": $max,
                    "pattern": "^[!-~]+$",
                })
            }
        }
    };
}

sqs_identifier!(
    /// A producer's idempotency key: 1 to 128 characters that are legal in an SQS deduplication ID.
    NotificationId,
    "notification id",
    MAX_CHARACTERS
);

sqs_identifier!(
    /// Name of a hub, a set of users for broadcasts: 1 to 124 ASCII letters, digits and
    /// punctuation characters.
    HubName,
    "hub name",
    MAX_HUB_CHARACTERS
);

impl HubName {
    /// Prefix of the gateway's own hubs, such as the hub of its operators. Only the gateway sends to them,
    /// and a connection joins one only with a connect token that names it.
    pub const RESERVED: &str = "tidings:";

    /// Returns true if the hub is one of the gateway's own.
    pub fn is_reserved(&self) -> bool {
        self.as_str().starts_with(Self::RESERVED)
    }

    /// Returns the message group of the hub's broadcasts, which are handled one at a time.
    pub fn group(&self) -> String {
        format!("{HUB_GROUP}{self}")
    }
}

impl From<Sequence> for NotificationId {
    /// Uses the padded sequence, which is legal and unique, as the id of a notification without one.
    fn from(sequence: Sequence) -> Self {
        Self(sequence.to_string().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_printable_ascii_character_is_legal() {
        let all: String = (0x21_u8..=0x7e).map(char::from).collect();
        assert_eq!(NotificationId::new(all.as_str()).unwrap().as_str(), all);
    }

    #[test]
    fn refusals_name_the_rule() {
        let empty = NotificationId::new("").unwrap_err();
        assert_eq!(empty, InvalidIdentifier::Empty { what: "notification id", max: 128 });
        assert_eq!(
            NotificationId::new("x".repeat(129)).unwrap_err(),
            InvalidIdentifier::TooLong { what: "notification id", length: 129, max: 128 }
        );
        let long = HubName::new("x".repeat(125)).unwrap_err().to_string();
        assert_eq!(long, "hub name has 125 characters; allowed are 1 to 124");
        assert_eq!(HubName::new("x".repeat(124)).unwrap().group().len(), 128);
        assert_eq!(
            HubName::new("jo é").unwrap_err(),
            InvalidIdentifier::IllegalCharacter { what: "hub name", character: ' ', position: 2 }
        );
        let message = NotificationId::new("a\u{0}").unwrap_err().to_string();
        assert!(message.contains("position 1") && message.contains("allowed"), "{message}");
    }
}
