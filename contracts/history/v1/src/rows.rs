//! Rows of the history table.

use std::time::Duration;

use contract_connections_v1::ConnectionId;
use contract_identity_v1::AuthenticationMethod;
use contract_notifications_v1::{Notification, NotificationId, Sequence, Timestamp, UserId, Version1};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::key::{HistoryOutcome, MessageKey, SessionKey};

/// Largest number of characters that a row keeps of a user agent.
pub const MAX_USER_AGENT_CHARS: usize = 256;

/// A session: from a connection's handshake to its end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionRow {
    /// Contract version.
    pub version: Version1,
    /// The session's user.
    pub user_id: UserId,
    /// The sort key.
    pub entry: SessionKey,
    /// The session's connection.
    pub connection_id: ConnectionId,
    /// Time at which its handshake was accepted.
    pub opened_at: Timestamp,
    /// Time at which it ended, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// Duration in milliseconds, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// The client's IP address.
    pub source_ip: String,
    /// The client's `User-Agent`, cut to 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Method that authenticated its handshake.
    pub method: AuthenticationMethod,
    /// Time from which DynamoDB may delete the row, in seconds since the epoch.
    pub ttl: u64,
}

impl SessionRow {
    /// Creates the row of an open session. The history keeps it for `lifetime`.
    pub fn opened(
        user_id: UserId,
        connection_id: ConnectionId,
        opened_at: Timestamp,
        method: AuthenticationMethod,
        lifetime: Duration,
    ) -> Self {
        Self {
            version: Version1,
            user_id,
            entry: SessionKey::new(opened_at, connection_id.clone()),
            connection_id,
            opened_at,
            closed_at: None,
            duration_ms: None,
            source_ip: String::new(),
            user_agent: None,
            method,
            ttl: opened_at.plus(lifetime).ttl_seconds(),
        }
    }

    /// Adds the client's address and the first [`MAX_USER_AGENT_CHARS`] characters of its user agent.
    #[must_use]
    pub fn from_client(mut self, source_ip: impl Into<String>, user_agent: Option<&str>) -> Self {
        self.source_ip = source_ip.into();
        self.user_agent = user_agent.map(|agent| agent.chars().take(MAX_USER_AGENT_CHARS).collect());
        self
    }

    /// Records the end of the session and its duration.
    pub fn close(&mut self, closed_at: Timestamp) {
        self.closed_at = Some(closed_at);
        self.duration_ms = Some(duration_ms(self.opened_at, closed_at));
    }
}

/// Returns a session's duration in milliseconds; zero if it closed before it opened.
fn duration_ms(opened_at: Timestamp, closed_at: Timestamp) -> u64 {
    u64::try_from(closed_at.since(opened_at).as_millis()).unwrap_or(u64::MAX)
}

/// A notification's outcome at one time.
///
/// The payload, if kept, is JSON as text, as in a mailbox. `Debug` shows only the key, because payloads never
/// reach a log.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageRow {
    /// Contract version.
    pub version: Version1,
    /// The user it was for.
    pub user_id: UserId,
    /// The sort key.
    pub entry: MessageKey,
    /// The producer's idempotency key.
    pub notification_id: NotificationId,
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
    /// The payload as JSON text, if the history keeps payloads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// Time from which DynamoDB may delete the row, in seconds since the epoch.
    pub ttl: u64,
}

impl std::fmt::Debug for MessageRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MessageRow").field("entry", &self.entry).finish_non_exhaustive()
    }
}

impl MessageRow {
    /// Creates the row of an outcome, without the payload. The history keeps it for `lifetime`.
    pub fn new(
        notification: &Notification,
        sequence: Sequence,
        outcome: HistoryOutcome,
        at: Timestamp,
        lifetime: Duration,
    ) -> Self {
        Self {
            version: Version1,
            user_id: notification.user_id.clone(),
            entry: MessageKey::new(at, sequence, outcome),
            notification_id: notification.id.clone(),
            sequence,
            outcome,
            at,
            kind: notification.kind.clone(),
            source: notification.source.clone(),
            payload: None,
            ttl: at.plus(lifetime).ttl_seconds(),
        }
    }

    /// Adds the payload.
    #[must_use]
    pub fn with_payload(mut self, notification: &Notification) -> Self {
        self.payload = Some(notification.payload.get().to_owned());
        self
    }
}
