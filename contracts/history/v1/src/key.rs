//! Sort keys. Within a user, their order as text is that of time, so that a query backwards gives what is
//! newest first.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use contract_connections_v1::ConnectionId;
use contract_notifications_v1::{Sequence, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Digits of a time in a key: enough until the year 33658.
const TIME_DIGITS: usize = 15;
/// The last time a key can have, in milliseconds.
const MAX_MILLIS: u64 = 999_999_999_999_999;

/// What became of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// A connection accepted it.
    Delivered,
    /// It was let go of because nobody was there and it was not to be held.
    Dropped,
    /// It was let go of because its time was over.
    Expired,
    /// It was put into the mailbox.
    Held,
}

impl What {
    const ALL: [Self; 4] = [Self::Delivered, Self::Dropped, Self::Expired, Self::Held];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Dropped => "dropped",
            Self::Expired => "expired",
            Self::Held => "held",
        }
    }
}

/// A text that is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no entry of the history; one is {expected}")]
pub struct InvalidKey {
    found: String,
    expected: &'static str,
}

/// The key of a session: `session#` when it opened `#` its connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    opened_at: Timestamp,
    connection_id: ConnectionId,
}

/// The key of a message: `message#` when it happened `#` the sequence `#` what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey {
    at: Timestamp,
    sequence: Sequence,
    what: What,
}

/// A time as a key has it: one beyond the last is the last.
fn representable(at: Timestamp) -> Timestamp {
    at.min(Timestamp::from_millis(MAX_MILLIS))
}

impl SessionKey {
    /// What the keys of all sessions begin with.
    pub const PREFIX: &str = "session#";

    const EXPECTED: &str = "session#{15 digits of milliseconds}#{connection id}";

    /// The key of a session. A time after the year 33658 becomes the last that a key can have.
    pub fn new(opened_at: Timestamp, connection_id: ConnectionId) -> Self {
        Self { opened_at: representable(opened_at), connection_id }
    }

    /// When it opened.
    pub const fn opened_at(&self) -> Timestamp {
        self.opened_at
    }

    /// Its connection.
    pub const fn connection_id(&self) -> &ConnectionId {
        &self.connection_id
    }
}

impl MessageKey {
    /// What the keys of all messages begin with.
    pub const PREFIX: &str = "message#";

    const EXPECTED: &str = "message#{15 digits of milliseconds}#{39 digits of the sequence}#{delivered, dropped, expired or held}";

    /// The key of what happened to a notification. A time after the year 33658 becomes the last that a key
    /// can have.
    pub fn new(at: Timestamp, sequence: Sequence, what: What) -> Self {
        Self { at: representable(at), sequence, what }
    }

    /// When it happened.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// The notification's place in its user's order.
    pub const fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// What happened.
    pub const fn what(&self) -> What {
        self.what
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { opened_at, connection_id } = self;
        write!(f, "{}{:0width$}#{connection_id}", Self::PREFIX, opened_at.millis(), width = TIME_DIGITS)
    }
}

impl fmt::Display for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, sequence, what } = self;
        let (at, what) = (at.millis(), what.as_str());
        write!(f, "{}{at:0width$}#{sequence}#{what}", Self::PREFIX, width = TIME_DIGITS)
    }
}

/// The time a key begins with after its prefix, and what is left behind the `#`.
fn time<'a>(text: &'a str, prefix: &str) -> Option<(Timestamp, &'a str)> {
    let (digits, rest) = text.strip_prefix(prefix)?.split_once('#')?;
    let millis = exactly(digits, TIME_DIGITS)?.parse().ok()?;
    Some((Timestamp::from_millis(millis), rest))
}

/// The text, if it is so many digits.
fn exactly(text: &str, digits: usize) -> Option<&str> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

fn invalid(text: &str, expected: &'static str) -> InvalidKey {
    InvalidKey { found: text.chars().take(128).collect(), expected }
}

impl FromStr for SessionKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = time(text, Self::PREFIX).filter(|(_, connection)| !connection.is_empty());
        let (opened_at, connection) = read.ok_or_else(|| invalid(text, Self::EXPECTED))?;
        Ok(Self { opened_at, connection_id: ConnectionId::new(connection) })
    }
}

impl FromStr for MessageKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (at, rest) = time(text, Self::PREFIX)?;
            let (sequence, what) = rest.split_once('#')?;
            let sequence = exactly(sequence, Sequence::DIGITS)?.parse().ok()?;
            let what = What::ALL.into_iter().find(|one| one.as_str() == what)?;
            Some(Self { at, sequence, what })
        };
        read().ok_or_else(|| invalid(text, Self::EXPECTED))
    }
}

macro_rules! by_text {
    ($name:ident, $pattern:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    };
}

by_text!(SessionKey, "^session#[0-9]{15}#.+$");
by_text!(MessageKey, "^message#[0-9]{15}#[0-9]{39}#(delivered|dropped|expired|held)$");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn session_key() -> impl Strategy<Value = SessionKey> {
        // Few times, so that the rest of the key decides too; connections may have any characters.
        (prop_oneof![0..3_u64, 0..=MAX_MILLIS], "[!-~ä]{1,8}")
            .prop_map(|(at, id)| SessionKey::new(Timestamp::from_millis(at), ConnectionId::new(id)))
    }

    fn message_key() -> impl Strategy<Value = MessageKey> {
        (prop_oneof![0..3_u64, 0..=MAX_MILLIS], prop_oneof![0..3_u128, any::<u128>()], select(&What::ALL[..]))
            .prop_map(|(at, sequence, what)| {
                MessageKey::new(Timestamp::from_millis(at), Sequence::new(sequence), what)
            })
    }

    #[test]
    fn what_is_no_key_is_refused_and_told_what_one_is() {
        let sequence = "0".repeat(39);
        for text in [
            String::new(),
            "session#".to_owned(),
            "session#000000000000001#".to_owned(),
            "session#00000000000001#c".to_owned(),
            "session#+00000000000001#c".to_owned(),
            "Session#000000000000001#c".to_owned(),
            format!("message#000000000000001#{sequence}#held"),
        ] {
            let error = text.parse::<SessionKey>().unwrap_err().to_string();
            assert!(error.contains("session#{15 digits"), "{error}");
        }
        for text in [
            format!("message#000000000000001#{sequence}#lost"),
            format!("message#000000000000001#{sequence}"),
            "message#000000000000001#1#held".to_owned(),
            format!("message#1#{sequence}#held"),
            "session#000000000000001#c".to_owned(),
        ] {
            let error = text.parse::<MessageKey>().unwrap_err().to_string();
            assert!(error.contains("message#{15 digits"), "{error}");
        }
        assert!("x".repeat(999).parse::<SessionKey>().unwrap_err().to_string().len() < 300);
    }

    #[test]
    fn a_time_beyond_the_last_is_the_last() {
        let key = SessionKey::new(Timestamp::from_millis(u64::MAX), ConnectionId::new("c"));
        assert_eq!(key.to_string(), "session#999999999999999#c");
        assert_eq!(key.to_string().parse(), Ok(key));
    }

    #[test]
    fn words_are_in_the_order_of_the_variants() {
        assert!(What::ALL.is_sorted() && What::ALL.map(What::as_str).is_sorted());
    }

    proptest! {
        #[test]
        fn keys_of_sessions_round_trip_in_order(a in session_key(), b in session_key()) {
            prop_assert_eq!(a.to_string().parse::<SessionKey>().unwrap(), a.clone());
            prop_assert_eq!(a.to_string().cmp(&b.to_string()), a.cmp(&b));
        }

        #[test]
        fn keys_of_messages_round_trip_in_order(a in message_key(), b in message_key()) {
            prop_assert_eq!(a.to_string().parse::<MessageKey>().unwrap(), a);
            prop_assert_eq!(a.to_string().cmp(&b.to_string()), a.cmp(&b));
        }

        #[test]
        fn the_two_are_apart(a in session_key(), b in message_key()) {
            prop_assert!(a.to_string().starts_with(SessionKey::PREFIX));
            prop_assert!(b.to_string().starts_with(MessageKey::PREFIX));
            prop_assert!(a.to_string().parse::<MessageKey>().is_err());
            prop_assert!(b.to_string().parse::<SessionKey>().is_err());
        }
    }
}
