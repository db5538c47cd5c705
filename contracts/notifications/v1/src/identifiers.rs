//! Identifiers: who a notification is for, which notification it is, and where it stands in order.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{InvalidIdentifier, InvalidSequence, excerpt};

/// Longest message group ID and deduplication ID of SQS, in characters
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>).
const MAX_CHARACTERS: usize = 128;

/// Longest name of a hub, in characters: with what tells its message group from a user's it stays within
/// [`MAX_CHARACTERS`].
const MAX_HUB_CHARACTERS: usize = MAX_CHARACTERS - HUB_GROUP.len();

/// What the message group of a hub's entries begins with.
const HUB_GROUP: &str = "hub/";

/// The rule the identifiers share: 1 to `max` letters, digits and punctuation of ASCII.
fn check_sqs_identifier(what: &'static str, max: usize, text: &str) -> Result<(), InvalidIdentifier> {
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

macro_rules! sqs_identifier {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and takes an identifier.
            ///
            /// # Errors
            /// [`InvalidIdentifier`] saying which rule the text breaks.
            pub fn new(text: impl AsRef<str> + Into<Arc<str>>) -> Result<Self, InvalidIdentifier> {
                check_sqs_identifier($what, $max, text.as_ref())?;
                Ok(Self(text.into()))
            }

            /// The identifier as text.
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
    /// Who a notification is for: 1 to 128 characters legal as an SQS message group ID.
    UserId,
    "user id",
    MAX_CHARACTERS
);

sqs_identifier!(
    /// The producer's idempotency key: 1 to 128 characters legal as an SQS deduplication ID.
    NotificationId,
    "notification id",
    MAX_CHARACTERS
);

sqs_identifier!(
    /// A named set of users for broadcast: 1 to 124 characters, those of a [`UserId`].
    HubName,
    "hub name",
    MAX_HUB_CHARACTERS
);

impl HubName {
    /// What the names begin with of hubs that are the gateway's own, such as that of its operators. Nobody but
    /// the gateway sends to them, and nothing but a connect token that names one lets a connection in.
    pub const RESERVED: &str = "tidings:";

    /// Whether the hub is one of the gateway's own.
    pub fn is_reserved(&self) -> bool {
        self.as_str().starts_with(Self::RESERVED)
    }

    /// The message group of what is sent to the hub: one broadcast at a time is fanned out.
    pub fn group(&self) -> String {
        format!("{HUB_GROUP}{self}")
    }
}

/// Where a notification stands in its user's order: the SQS `SequenceNumber` of its first acceptance.
///
/// SQS documents 128 bits, so on the wire it is a string of 39 decimal digits, padded with zeros, whose
/// order as text is its order as a number
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sequence(u128);

impl Sequence {
    /// Digits of the padded form; `u128::MAX` has 39.
    pub const DIGITS: usize = 39;
    /// Before every sequence a queue gives.
    pub const ZERO: Self = Self(0);
    /// After every sequence a queue gives.
    pub const MAX: Self = Self(u128::MAX);

    /// Wraps a number.
    pub const fn new(number: u128) -> Self {
        Self(number)
    }

    /// The number itself.
    pub const fn number(self) -> u128 {
        self.0
    }

    /// The padded form, in ASCII.
    pub fn digits(self) -> [u8; Self::DIGITS] {
        let mut digits = [b'0'; Self::DIGITS];
        let (mut places, mut rest) = (digits.iter_mut().rev(), self.0);
        // Division of 128 bits is slow, and every frame has a sequence: no more of it than the number takes.
        let mut low = loop {
            match u64::try_from(rest) {
                Ok(low) => break low,
                Err(_) => put_last_digit(&mut places, (rest % 10) as u8),
            }
            rest /= 10;
        };
        while low > 0 {
            put_last_digit(&mut places, (low % 10) as u8);
            low /= 10;
        }
        digits
    }
}

fn put_last_digit<'a>(places: &mut impl Iterator<Item = &'a mut u8>, digit: u8) {
    if let Some(place) = places.next() {
        *place = b'0' + digit;
    }
}

impl From<Sequence> for NotificationId {
    /// The id of a notification that has no other: its padded sequence, which is legal and unique.
    fn from(sequence: Sequence) -> Self {
        Self(sequence.to_string().into())
    }
}

impl FromStr for Sequence {
    type Err = InvalidSequence;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits =
            (1..=Self::DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if digits => Ok(Self(number)),
            _ => Err(InvalidSequence { found: excerpt(text) }),
        }
    }
}

impl fmt::Display for Sequence {
    /// The padded form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(text(&self.digits()))
    }
}

impl Serialize for Sequence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text(&self.digits()))
    }
}

/// Digits as text, which they always are.
fn text(digits: &[u8; Sequence::DIGITS]) -> &str {
    std::str::from_utf8(digits).unwrap_or_default()
}

impl<'de> Deserialize<'de> for Sequence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Sequence {
    fn schema_name() -> Cow<'static, str> {
        "Sequence".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]{39}$" })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_printable_ascii_character_is_legal() {
        let all: String = (0x21_u8..=0x7e).map(char::from).collect();
        assert_eq!(UserId::new(all.as_str()).unwrap().as_str(), all);
    }

    #[test]
    fn refusals_name_the_rule() {
        assert_eq!(UserId::new("").unwrap_err(), InvalidIdentifier::Empty { what: "user id", max: 128 });
        assert_eq!(
            NotificationId::new("x".repeat(129)).unwrap_err(),
            InvalidIdentifier::TooLong { what: "notification id", length: 129, max: 128 }
        );
        let long = HubName::new("x".repeat(125)).unwrap_err().to_string();
        assert_eq!(long, "hub name has 125 characters; allowed are 1 to 124");
        assert_eq!(HubName::new("x".repeat(124)).unwrap().group().len(), 128);
        assert_eq!(
            UserId::new("jo é").unwrap_err(),
            InvalidIdentifier::IllegalCharacter { what: "user id", character: ' ', position: 2 }
        );
        let message = UserId::new("a\u{0}").unwrap_err().to_string();
        assert!(message.contains("position 1") && message.contains("allowed"), "{message}");
    }

    #[test]
    fn sequence_refuses_signs_blanks_and_overflow() {
        for text in ["", "+1", "-1", " 1", "1 ", "0x1", &"9".repeat(39), &"0".repeat(40)] {
            assert!(text.parse::<Sequence>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn sequence_text_round_trips_and_keeps_order(a: u128, b: u128) {
            let (a, b) = (Sequence::new(a), Sequence::new(b));
            prop_assert_eq!(a.to_string(), format!("{:039}", a.number()));
            prop_assert_eq!(a.to_string().parse::<Sequence>().unwrap(), a);
            prop_assert_eq!(a.to_string().cmp(&b.to_string()), a.cmp(&b));
        }
    }
}
