//! The order in which a user sees notifications.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::truncate::truncated;

/// Position of a notification in its user's order: the SQS `SequenceNumber` of its first acceptance.
///
/// SQS documents 128 bits, so on the wire it is a string of 39 decimal digits, padded with zeros. Sequences
/// have the same order as texts and as numbers
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sequence(u128);

/// A text that is not a sequence: 1 to 39 decimal digits of a 128-bit number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a sequence; a sequence is a 128-bit number in 1 to 39 decimal digits")]
pub struct InvalidSequence {
    /// The text found, cut to 64 characters.
    pub found: String,
}

impl Sequence {
    /// Number of digits in the padded form; `u128::MAX` has 39.
    pub const DIGITS: usize = 39;
    /// A sequence before all that a queue assigns.
    pub const ZERO: Self = Self(0);
    /// A sequence after all that a queue assigns.
    pub const MAX: Self = Self(u128::MAX);

    /// Creates a sequence from its number.
    pub const fn new(number: u128) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn number(self) -> u128 {
        self.0
    }

    /// Returns the padded form, in ASCII.
    pub fn digits(self) -> [u8; Self::DIGITS] {
        let mut digits = [b'0'; Self::DIGITS];
        let (mut places, mut rest) = (digits.iter_mut().rev(), self.0);
        // Every frame has a sequence, and 128-bit division is slow: use 64 bits as soon as the rest fits.
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

/// An epoch of a deployment's queues: the leading digits of all sequences of that time.
///
/// The sequence numbers of different queues do not compare. When users move to other queues, because the number of
/// queues changes, a later epoch puts their new sequences after all earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(u8);

impl Epoch {
    /// The last epoch.
    pub const MAX: Self = Self(99);
    /// Number of digits left to the queue's own sequence number. SQS's have 20 digits so far.
    const QUEUE_DIGITS: u32 = 36;

    /// Creates an epoch from its number, at most 99.
    pub const fn new(number: u8) -> Option<Self> {
        if number <= Self::MAX.0 { Some(Self(number)) } else { None }
    }

    /// Returns the sequence of a message that a queue has numbered in this epoch; `None` if the number has too many
    /// digits. In the first epoch, 0, every number is its own sequence.
    pub fn sequence(self, number: Sequence) -> Option<Sequence> {
        const UNIT: u128 = 10_u128.pow(Epoch::QUEUE_DIGITS);
        match self.0 {
            0 => Some(number),
            epoch => (number.0 < UNIT).then(|| Sequence(u128::from(epoch) * UNIT + number.0)),
        }
    }
}

impl FromStr for Sequence {
    type Err = InvalidSequence;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let are_digits =
            (1..=Self::DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if are_digits => Ok(Self(number)),
            _ => Err(InvalidSequence { found: truncated(text) }),
        }
    }
}

impl fmt::Display for Sequence {
    /// Writes the padded form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(text(&self.digits()))
    }
}

impl Serialize for Sequence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text(&self.digits()))
    }
}

/// Returns the digits as text.
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
    fn sequence_refuses_signs_blanks_and_overflow() {
        for text in ["", "+1", "-1", " 1", "1 ", "0x1", &"9".repeat(39), &"0".repeat(40)] {
            assert!(text.parse::<Sequence>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn later_epoch_is_after_every_earlier_sequence() {
        let largest = Sequence::new(10_u128.pow(36) - 1);
        for number in 0..99 {
            let (earlier, later) = (Epoch::new(number).unwrap(), Epoch::new(number + 1).unwrap());
            assert!(earlier.sequence(largest) < later.sequence(Sequence::ZERO), "{number}");
        }
        assert!(Epoch::MAX.sequence(largest).unwrap() < Sequence::MAX);
        assert_eq!(Epoch::new(100), None);
    }

    #[test]
    fn epoch_stands_in_leading_digits() {
        let number = Sequence::new(18_849_496_460_467_696_128);
        let text = |epoch| Epoch::new(epoch).unwrap().sequence(number).unwrap().to_string();
        assert_eq!(text(0), "000000000000000000018849496460467696128");
        assert_eq!(text(1), "001000000000000000018849496460467696128");
        assert_eq!(text(99), "099000000000000000018849496460467696128");
    }

    #[test]
    fn number_that_would_reach_into_the_epoch_is_refused() {
        let long = Sequence::new(10_u128.pow(36));
        assert_eq!(Epoch::new(1).unwrap().sequence(long), None);
        assert_eq!(Epoch::default().sequence(long), Some(long));
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
