//! Requests for pages of a history, and the pages that readers get.

use std::str::FromStr;

use contract_connections_v1::ConnectionId;
use contract_identity_v1::AuthenticationMethod;
use contract_notifications_v1::{NotificationId, Payload, Sequence, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::key::{HistoryOutcome, InvalidKey};
use crate::rows::{MessageRow, SessionRow};

/// Number of entries of a page when the request has no limit.
pub const DEFAULT_PAGE: usize = 50;
/// Largest number of entries of a page.
pub const MAX_PAGE: usize = 100;

/// One of a user's two histories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HistoryKind {
    /// The sessions.
    Sessions,
    /// The outcomes of notifications.
    Messages,
}

/// A history that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no history of {found:?}; there are \"sessions\" and \"messages\"")]
pub struct UnknownKind {
    found: String,
}

impl FromStr for HistoryKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "sessions" => Ok(Self::Sessions),
            "messages" => Ok(Self::Messages),
            other => Err(UnknownKind { found: other.chars().take(64).collect() }),
        }
    }
}

/// Reasons for refusing a request for a page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPageRequest {
    /// `before` is not the `next` of an earlier page.
    #[error("before: {0}; use the \"next\" of an earlier page")]
    Before(InvalidKey),
    /// `limit` is not a number from 1 to [`MAX_PAGE`].
    #[error("limit is {found:?}; allowed are 1 to {MAX_PAGE}")]
    Limit {
        /// The limit found, cut to 64 characters.
        found: String,
    },
}

/// A request for a page of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest<Key> {
    /// Cursor: the page has only entries older than this one.
    pub before: Option<Key>,
    /// Largest number of entries, 1 to [`MAX_PAGE`].
    pub limit: usize,
}

impl<Key: FromStr<Err = InvalidKey>> PageRequest<Key> {
    /// Parses the parameters of a query.
    ///
    /// # Errors
    /// [`InvalidPageRequest`] with what is allowed.
    pub fn parse(before: Option<&str>, limit: Option<&str>) -> Result<Self, InvalidPageRequest> {
        let before = before.map(str::parse).transpose().map_err(InvalidPageRequest::Before)?;
        let limit = limit.map_or(Ok(DEFAULT_PAGE), |text| {
            let number = text.parse().ok().filter(|number| (1..=MAX_PAGE).contains(number));
            number.ok_or_else(|| InvalidPageRequest::Limit { found: text.chars().take(64).collect() })
        })?;
        Ok(Self { before, limit })
    }
}

/// A session, as readers get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The session's connection.
    pub connection_id: ConnectionId,
    /// Time at which its handshake was accepted.
    pub opened_at: Timestamp,
    /// Time at which it ended; absent while it lasts, and if its end was not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// Duration in milliseconds; absent when `closedAt` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// The client's IP address.
    pub source_ip: String,
    /// The client's `User-Agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Method that authenticated its handshake.
    pub method: AuthenticationMethod,
}

impl From<SessionRow> for Session {
    fn from(row: SessionRow) -> Self {
        let SessionRow { connection_id, opened_at, closed_at, duration_ms, .. } = row;
        let SessionRow { source_ip, user_agent, method, .. } = row;
        Self { connection_id, opened_at, closed_at, duration_ms, source_ip, user_agent, method }
    }
}

/// A notification's outcome, as readers get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The notification's id.
    pub id: NotificationId,
    /// Position in the user's order.
    pub sequence: Sequence,
    /// The outcome.
    #[serde(rename = "what")]
    pub outcome: HistoryOutcome,
    /// Time of the outcome.
    pub at: Timestamp,
    /// Category of the notification, chosen by the producer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Box<str>>,
    /// Origin of the notification, chosen by the producer, or the user who sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<str>>,
    /// The payload, if the history keeps payloads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
}

impl From<MessageRow> for Message {
    /// Converts a row. A stored payload that is not JSON becomes a JSON string with its text.
    fn from(row: MessageRow) -> Self {
        let MessageRow { notification_id: id, sequence, outcome, at, kind, source, payload, .. } = row;
        let payload =
            payload.and_then(|text| Payload::from_json(&text).or_else(|_| Payload::from_value(&text)).ok());
        Self { id, sequence, outcome, at, kind, source, payload }
    }
}

/// A page of a history, newest entries first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Cursor for `before` of the next page; `null` on the last page.
    pub next: Option<String>,
}

impl<T: Serialize> Page<T> {
    /// Creates a page of the first entries whose JSON has at most `max_bytes` bytes together, at least one entry.
    fn of(entries: impl Iterator<Item = (String, T)>, mut more: bool, max_bytes: usize) -> Self {
        let (mut items, mut last, mut bytes) = (Vec::new(), None, 0_usize);
        for (cursor, item) in entries {
            // A comma goes between two entries. An entry always serializes.
            bytes += serde_json::to_string(&item).map_or(0, |text| text.len()) + 1;
            if bytes > max_bytes && !items.is_empty() {
                more = true;
                break;
            }
            items.push(item);
            last = Some(cursor);
        }
        Self { items, next: last.filter(|_| more) }
    }
}

impl Page<Session> {
    /// Creates a page from rows, newest first. `more` is true if older rows may follow. The page ends before its
    /// entries have more than `max_bytes` bytes of JSON, but has at least one.
    pub fn of_sessions(rows: Vec<SessionRow>, more: bool, max_bytes: usize) -> Self {
        Self::of(rows.into_iter().map(|row| (row.entry.to_string(), Session::from(row))), more, max_bytes)
    }
}

impl Page<Message> {
    /// Creates a page from rows, as [`Page::of_sessions`] does. A payload that alone is too large is left out.
    pub fn of_messages(rows: Vec<MessageRow>, more: bool, max_bytes: usize) -> Self {
        let entry = |row: MessageRow| {
            let (cursor, mut message) = (row.entry.to_string(), Message::from(row));
            let len = |message: &Message| serde_json::to_string(message).map_or(0, |text| text.len());
            if message.payload.is_some() && len(&message) >= max_bytes {
                message.payload = None;
            }
            (cursor, message)
        };
        Self::of(rows.into_iter().map(entry), more, max_bytes)
    }
}
