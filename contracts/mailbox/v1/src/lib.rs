//! Version 1 of the mailbox's contract: one row per held notification.
//!
//! The dispatcher writes, marks and deletes rows, the edge deletes those a client acknowledged, and the
//! replayer reads their keys.

use std::collections::BTreeSet;

use contract_notifications_v1::{
    Notification, NotificationId, Payload, Sequence, Timestamp, UserId, Version1, WhenOffline,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names of the table's key attributes and of those used in conditions.
pub mod attributes {
    /// Partition key: whose mailbox.
    pub const USER_ID: &str = "userId";
    /// Sort key: the padded sequence.
    pub const SEQUENCE: &str = "sequence";
    /// String set of the connections the row was pushed to.
    pub const PUSHED_TO: &str = "pushedTo";
    /// Time to live, in seconds since the epoch.
    pub const TTL: &str = "ttl";
}

/// A held notification.
///
/// The payload is JSON as text, because a table that stored it as a structure would not give the same
/// bytes back.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeldNotification {
    /// Of this contract.
    pub version: Version1,
    /// Whose mailbox.
    pub user_id: UserId,
    /// Its place in the user's order.
    pub sequence: Sequence,
    /// The producer's idempotency key.
    pub id: NotificationId,
    /// The payload, as JSON text.
    pub payload: String,
    /// When the producer sent it.
    pub sent_at: Timestamp,
    /// From when on it must not be delivered any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Whether it should have been held at all: see [`WhenOffline`].
    pub when_offline: WhenOffline,
    /// The producer's word for what sort of notification it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Box<str>>,
    /// The producer's word for where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<str>>,
    /// The connections it was pushed to, or is about to be (connection ids). Absent when none, as a
    /// DynamoDB set can't be empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pushed_to: BTreeSet<String>,
    /// When DynamoDB may delete the row, in seconds since the epoch; only rows that expire have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
}

/// A stored row that does not hold what its contract says.
#[derive(Debug, thiserror::Error)]
#[error("the payload of a held notification is not JSON")]
pub struct InvalidPayload(#[source] serde_json::Error);

impl HeldNotification {
    /// The row of `notification`, first accepted as `sequence`, pushed to `pushed_to`.
    pub fn new(notification: Notification, sequence: Sequence, pushed_to: BTreeSet<String>) -> Self {
        let Notification { id, user_id, payload, sent_at, expires_at, when_offline, kind, source } =
            notification;
        Self {
            version: Version1,
            user_id,
            sequence,
            id,
            payload: payload.get().to_owned(),
            sent_at,
            expires_at,
            when_offline,
            kind,
            source,
            pushed_to,
            ttl: expires_at.map(Timestamp::ttl_seconds),
        }
    }

    /// The notification the row holds.
    ///
    /// # Errors
    /// [`InvalidPayload`] when the stored text is not JSON.
    pub fn into_notification(self) -> Result<Notification, InvalidPayload> {
        Ok(Notification {
            id: self.id,
            user_id: self.user_id,
            payload: Payload::from_json(&self.payload).map_err(InvalidPayload)?,
            sent_at: self.sent_at,
            expires_at: self.expires_at,
            when_offline: self.when_offline,
            kind: self.kind,
            source: self.source,
        })
    }
}
