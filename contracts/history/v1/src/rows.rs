//! The rows.

use std::time::Duration;

use contract_connections_v1::ConnectionId;
use contract_identity_v1::Method;
use contract_notifications_v1::{Notification, NotificationId, Sequence, Timestamp, UserId, Version1};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::key::{MessageKey, SessionKey, What};

/// Most characters of a user agent that a row keeps.
pub const MAX_USER_AGENT_CHARS: usize = 256;

/// A session: from a connection's handshake to its end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionRow {
    /// Of this contract.
    pub version: Version1,
    /// Whose session.
    pub user_id: UserId,
    /// The sort key.
    pub entry: SessionKey,
    /// Its connection.
    pub connection_id: ConnectionId,
    /// When its handshake was accepted.
    pub opened_at: Timestamp,
    /// When it ended, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// How long it lasted, in milliseconds, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// The address it came from.
    pub source_ip: String,
    /// The first characters of what its client calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// How its handshake proved who it is.
    pub method: Method,
    /// When DynamoDB may delete the row, in seconds since the epoch.
    pub ttl: u64,
}

impl SessionRow {
    /// The row of a session that began, kept for `lifetime`.
    pub fn opened(
        user_id: UserId,
        connection_id: ConnectionId,
        opened_at: Timestamp,
        method: Method,
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

    /// Says where it came from. Of the user agent the first [`MAX_USER_AGENT_CHARS`] characters are kept.
    #[must_use]
    pub fn from_client(mut self, source_ip: impl Into<String>, user_agent: Option<&str>) -> Self {
        self.source_ip = source_ip.into();
        self.user_agent = user_agent.map(|agent| agent.chars().take(MAX_USER_AGENT_CHARS).collect());
        self
    }

    /// Says that it ended.
    pub fn close(&mut self, closed_at: Timestamp) {
        self.closed_at = Some(closed_at);
        self.duration_ms = Some(duration_ms(self.opened_at, closed_at));
    }
}

/// How long a session lasted, in milliseconds.
fn duration_ms(opened_at: Timestamp, closed_at: Timestamp) -> u64 {
    u64::try_from(closed_at.since(opened_at).as_millis()).unwrap_or(u64::MAX)
}

/// What became of a notification at one time.
///
/// The payload, if it is kept at all, is JSON as text, as in a mailbox. No `Debug` of it: payloads never
/// reach a log.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageRow {
    /// Of this contract.
    pub version: Version1,
    /// Whom it was for.
    pub user_id: UserId,
    /// The sort key.
    pub entry: MessageKey,
    /// The producer's idempotency key.
    pub notification_id: NotificationId,
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
    /// The payload as JSON text, where the history is to have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// When DynamoDB may delete the row, in seconds since the epoch.
    pub ttl: u64,
}

impl std::fmt::Debug for MessageRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MessageRow").field("entry", &self.entry).finish_non_exhaustive()
    }
}

impl MessageRow {
    /// The row of what became of a notification, without its payload, kept for `lifetime`.
    pub fn new(
        notification: &Notification,
        sequence: Sequence,
        what: What,
        at: Timestamp,
        lifetime: Duration,
    ) -> Self {
        Self {
            version: Version1,
            user_id: notification.user_id.clone(),
            entry: MessageKey::new(at, sequence, what),
            notification_id: notification.id.clone(),
            sequence,
            what,
            at,
            kind: notification.kind.clone(),
            source: notification.source.clone(),
            payload: None,
            ttl: at.plus(lifetime).ttl_seconds(),
        }
    }

    /// Keeps the payload too.
    #[must_use]
    pub fn with_payload(mut self, notification: &Notification) -> Self {
        self.payload = Some(notification.payload.get().to_owned());
        self
    }
}
