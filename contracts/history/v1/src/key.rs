//! Sort keys of history entries. A user's keys sort by time as text, so a backward query returns the newest
//! entries first.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use contract_connections_v1::ConnectionId;
use contract_notifications_v1::{Sequence, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Number of digits of a time in a key; enough until the year 33658.
const TIME_DIGITS: usize = 15;
/// Latest time in a key, in milliseconds since the epoch.
const MAX_MILLIS: u64 = 999_999_999_999_999;

/// Outcome of a notification at one point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HistoryOutcome {
    /// A connection accepted it.
    Delivered,
    /// It was discarded because the user was offline and it was not to be held.
    Dropped,
    /// It was discarded because it had expired.
    Expired,
    /// It was put into the mailbox.
    Held,
}

impl HistoryOutcome {
    const ALL: [Self; 4] = [Self::Delivered, Self::Dropped, Self::Expired, Self::Held];

    /// Returns its name in keys and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Dropped => "dropped",
            Self::Expired => "expired",
            Self::Held => "held",
        }
    }
}

/// A text that is not a key of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a history entry; the form is {expected}")]
pub struct InvalidKey {
    found: String,
    expected: &'static str,
}

/// Key of a session: `session#{opened at}#{connection id}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    opened_at: Timestamp,
    connection_id: ConnectionId,
}

/// Key of a message: `message#{time}#{sequence}#{outcome}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey {
    at: Timestamp,
    sequence: Sequence,
    outcome: HistoryOutcome,
}

/// Limits a time to the latest that a key can have.
fn limited(at: Timestamp) -> Timestamp {
    at.min(Timestamp::from_millis(MAX_MILLIS))
}

impl SessionKey {
    /// Prefix of the keys of all sessions.
    pub const PREFIX: &str = "session#";

    const EXPECTED: &str = "session#{15 digits of milliseconds}#{connection id}";

    /// Creates a session's key. A time after the year 33658 becomes the latest that a key can have.
    pub fn new(opened_at: Timestamp, connection_id: ConnectionId) -> Self {
        Self { opened_at: limited(opened_at), connection_id }
    }

    /// Returns the time at which the session opened.
    pub const fn opened_at(&self) -> Timestamp {
        self.opened_at
    }

    /// Returns the session's connection.
    pub const fn connection_id(&self) -> &ConnectionId {
        &self.connection_id
    }
}

impl MessageKey {
    /// Prefix of the keys of all messages.
    pub const PREFIX: &str = "message#";

    const EXPECTED: &str = "message#{15 digits of milliseconds}#{39 digits of the sequence}#{delivered, dropped, expired or held}";

    /// Creates a message's key. A time after the year 33658 becomes the latest that a key can have.
    pub fn new(at: Timestamp, sequence: Sequence, outcome: HistoryOutcome) -> Self {
        Self { at: limited(at), sequence, outcome }
    }

    /// Returns the time of the outcome.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// Returns the notification's position in its user's order.
    pub const fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// Returns the outcome.
    pub const fn outcome(&self) -> HistoryOutcome {
        self.outcome
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
        let Self { at, sequence, outcome } = self;
        let (at, outcome) = (at.millis(), outcome.as_str());
        write!(f, "{}{at:0width$}#{sequence}#{outcome}", Self::PREFIX, width = TIME_DIGITS)
    }
}

/// Splits a key behind its prefix into the time and the text after the next `#`.
fn time<'a>(text: &'a str, prefix: &str) -> Option<(Timestamp, &'a str)> {
    let (digits, rest) = text.strip_prefix(prefix)?.split_once('#')?;
    let millis = exactly(digits, TIME_DIGITS)?.parse().ok()?;
    Some((Timestamp::from_millis(millis), rest))
}

/// Returns the text if it consists of exactly this number of digits.
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
            let (sequence, outcome) = rest.split_once('#')?;
            let sequence = exactly(sequence, Sequence::DIGITS)?.parse().ok()?;
            let outcome = HistoryOutcome::ALL.into_iter().find(|one| one.as_str() == outcome)?;
            Some(Self { at, sequence, outcome })
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
        // Few different times, so that the rest of the key decides the order too. Connection ids may have any
        // characters.
        (prop_oneof![0..3_u64, 0..=MAX_MILLIS], "[!-~ä]{1,8}")
            .prop_map(|(at, id)| SessionKey::new(Timestamp::from_millis(at), ConnectionId::new(id)))
    }

    fn message_key() -> impl Strategy<Value = MessageKey> {
        (
            prop_oneof![0..3_u64, 0..=MAX_MILLIS],
            prop_oneof![0..3_u128, any::<u128>()],
            select(&HistoryOutcome::ALL[..]),
        )
            .prop_map(|(at, sequence, outcome)| {
                MessageKey::new(Timestamp::from_millis(at), Sequence::new(sequence), outcome)
            })
    }

    #[test]
    fn error_of_a_malformed_key_shows_the_form() {
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
    fn time_is_limited_to_the_latest_in_a_key() {
        let key = SessionKey::new(Timestamp::from_millis(u64::MAX), ConnectionId::new("c"));
        assert_eq!(key.to_string(), "session#999999999999999#c");
        assert_eq!(key.to_string().parse(), Ok(key));
    }

    #[test]
    fn outcome_names_sort_like_the_variants() {
        assert!(
            HistoryOutcome::ALL.is_sorted() && HistoryOutcome::ALL.map(HistoryOutcome::as_str).is_sorted()
        );
    }

    proptest! {
        #[test]
        fn session_keys_round_trip_in_order(a in session_key(), b in session_key()) {
            prop_assert_eq!(a.to_string().parse::<SessionKey>().unwrap(), a.clone());
            prop_assert_eq!(a.to_string().cmp(&b.to_string()), a.cmp(&b));
        }

        #[test]
        fn message_keys_round_trip_in_order(a in message_key(), b in message_key()) {
            prop_assert_eq!(a.to_string().parse::<MessageKey>().unwrap(), a);
            prop_assert_eq!(a.to_string().cmp(&b.to_string()), a.cmp(&b));
        }

        #[test]
        fn session_and_message_keys_do_not_mix(a in session_key(), b in message_key()) {
            prop_assert!(a.to_string().starts_with(SessionKey::PREFIX));
            prop_assert!(b.to_string().starts_with(MessageKey::PREFIX));
            prop_assert!(a.to_string().parse::<MessageKey>().is_err());
            prop_assert!(b.to_string().parse::<SessionKey>().is_err());
        }
    }
}
