//! How a history is asked for, and what readers get.

use std::str::FromStr;

use contract_connections_v1::ConnectionId;
use contract_identity_v1::Method;
use contract_notifications_v1::{NotificationId, Payload, Sequence, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::key::{InvalidKey, What};
use crate::rows::{MessageRow, SessionRow};

/// Entries of a page, unless asked otherwise.
pub const DEFAULT_PAGE: usize = 50;
/// Most entries of a page.
pub const MAX_PAGE: usize = 100;

/// Which of a user's two histories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The sessions.
    Sessions,
    /// What became of notifications.
    Messages,
}

/// A history that is none of those known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no history of {found:?}; there are \"sessions\" and \"messages\"")]
pub struct UnknownKind {
    found: String,
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "sessions" => Ok(Self::Sessions),
            "messages" => Ok(Self::Messages),
            other => Err(UnknownKind { found: other.chars().take(64).collect() }),
        }
    }
}

/// What is wrong with how a page is asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPageRequest {
    /// `before` is not what an earlier page gave as `next`.
    #[error("before: {0}; give what an earlier page gave as \"next\"")]
    Before(InvalidKey),
    /// `limit` is not allowed.
    #[error("limit is {found:?}; allowed are 1 to {MAX_PAGE}")]
    Limit {
        /// What was asked for, or the beginning of it.
        found: String,
    },
}

/// A page of a history that is asked for, by `before` and `limit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest<Key> {
    /// Only entries that are older than this one.
    pub before: Option<Key>,
    /// At most so many, 1 to [`MAX_PAGE`].
    pub limit: usize,
}

impl<Key: FromStr<Err = InvalidKey>> PageRequest<Key> {
    /// Reads the parameters of a query.
    ///
    /// # Errors
    /// [`InvalidPageRequest`] saying what is allowed.
    pub fn parse(before: Option<&str>, limit: Option<&str>) -> Result<Self, InvalidPageRequest> {
        let before = before.map(str::parse).transpose().map_err(InvalidPageRequest::Before)?;
        let limit = limit.map_or(Ok(DEFAULT_PAGE), |text| {
            let number = text.parse().ok().filter(|number| (1..=MAX_PAGE).contains(number));
            number.ok_or_else(|| InvalidPageRequest::Limit { found: text.chars().take(64).collect() })
        })?;
        Ok(Self { before, limit })
    }
}

/// A session as readers get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Its connection.
    pub connection_id: ConnectionId,
    /// When its handshake was accepted.
    pub opened_at: Timestamp,
    /// When it ended; absent while it lasts, and when the end was not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// How long it lasted, in milliseconds; absent as `closedAt` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// The address it came from.
    pub source_ip: String,
    /// What its client calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// How its handshake proved who it is.
    pub method: Method,
}

impl From<SessionRow> for Session {
    fn from(row: SessionRow) -> Self {
        let SessionRow { connection_id, opened_at, closed_at, duration_ms, .. } = row;
        let SessionRow { source_ip, user_agent, method, .. } = row;
        Self { connection_id, opened_at, closed_at, duration_ms, source_ip, user_agent, method }
    }
}

/// What became of a notification, as readers get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The notification's id.
    pub id: NotificationId,
    /// Its place in the user's order.
    pub sequence: Sequence,
    /// What became of it.
    pub what: What,
    /// When.
    pub at: Timestamp,
    /// The producer's word for what sort of notification it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Box<str>>,
    /// By whom: the producer's word for where it comes from, or the user who sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<str>>,
    /// The payload, where the history has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
}

impl From<MessageRow> for Message {
    /// A stored payload that is not JSON becomes a JSON string of its text.
    fn from(row: MessageRow) -> Self {
        let MessageRow { notification_id: id, sequence, what, at, kind, source, payload, .. } = row;
        let payload =
            payload.and_then(|text| Payload::from_json(&text).or_else(|_| Payload::from_value(&text)).ok());
        Self { id, sequence, what, at, kind, source, payload }
    }
}

/// Some entries of a history, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// To be given as `before` for the next page; `null` on the last.
    pub next: Option<String>,
}

impl Page<Session> {
    /// The page of these rows, newest first; `more` says whether there may be older ones.
    pub fn of_sessions(rows: Vec<SessionRow>, more: bool) -> Self {
        let next = rows.last().filter(|_| more).map(|row| row.entry.to_string());
        Self { items: rows.into_iter().map(Session::from).collect(), next }
    }
}

impl Page<Message> {
    /// The page of these rows, newest first; `more` says whether there may be older ones.
    pub fn of_messages(rows: Vec<MessageRow>, more: bool) -> Self {
        let next = rows.last().filter(|_| more).map(|row| row.entry.to_string());
        Self { items: rows.into_iter().map(Message::from).collect(), next }
    }
}
