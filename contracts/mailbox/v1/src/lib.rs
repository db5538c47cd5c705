//! Version 1 of the mailbox's contract: one row for each held notification.
//!
//! The dispatcher writes, marks and deletes rows, the edge deletes rows that a client acknowledged, and the
//! replayer reads their keys.

use std::collections::BTreeSet;

use contract_notifications_v1::{
    Notification, NotificationId, Payload, Sequence, Timestamp, UserId, Version1, WhenOffline,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names of the table's key attributes and of the attributes used in conditions.
pub mod attributes {
    /// Partition key: the mailbox's user.
    pub const USER_ID: &str = "userId";
    /// Sort key: the padded sequence.
    pub const SEQUENCE: &str = "sequence";
    /// String set of the connections that the row was pushed to.
    pub const PUSHED_TO: &str = "pushedTo";
    /// Time to live, in seconds since the epoch.
    pub const TTL: &str = "ttl";
}

/// Rows of scheduled replays, which share the mailbox table.
///
/// A dispatcher schedules the replay of a user's mailbox after it has set notifications aside, and the replayer queues
/// it within a minute. A row has its partition as [`USER_ID`](attributes::USER_ID), the user as
/// [`SEQUENCE`](attributes::SEQUENCE), and the time at which it was written last.
pub mod scheduled {
    use contract_notifications_v1::UserId;

    /// Number of partitions over which the rows are spread, because one takes 1,000 writes a second
    /// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html>).
    pub const PARTITIONS: u8 = 8;
    /// Attribute with the time at which the row was written last, in milliseconds since the epoch.
    pub const SCHEDULED_AT: &str = "scheduledAt";

    /// Returns the key of a partition. It begins with a space, which no user id has.
    pub fn partition(number: u8) -> String {
        format!(" scheduled/{number}")
    }

    /// Returns the number of a user's partition.
    pub fn partition_of(user: &UserId) -> u8 {
        user.as_str().bytes().fold(0, u8::wrapping_add) % PARTITIONS
    }
}

/// A held notification.
///
/// The payload is JSON as text, because a table that stores it as a structure would not return the same
/// bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeldNotification {
    /// Contract version.
    pub version: Version1,
    /// The mailbox's user.
    pub user_id: UserId,
    /// Position in the user's order.
    pub sequence: Sequence,
    /// The producer's idempotency key.
    pub id: NotificationId,
    /// The payload, as JSON text.
    pub payload: String,
    /// Time at which the producer sent it.
    pub sent_at: Timestamp,
    /// Time from which it is no longer delivered; it never expires when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Treatment while the user has no open connection. A row with `drop` waits behind held ones for a
    /// connected user.
    pub when_offline: WhenOffline,
    /// Category of the notification, chosen by the producer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Box<str>>,
    /// Origin of the notification, chosen by the producer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<str>>,
    /// Ids of the connections that it was or will be pushed to. Absent when there is none, because a DynamoDB
    /// set can't be empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pushed_to: BTreeSet<String>,
    /// Time from which DynamoDB may delete the row, in seconds since the epoch. Only rows that expire have
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
}

/// The payload of a stored row is not JSON.
#[derive(Debug, thiserror::Error)]
#[error("the payload of a held notification is not JSON")]
pub struct InvalidPayload(#[source] serde_json::Error);

impl HeldNotification {
    /// Creates the row of a notification that was first accepted as `sequence` and pushed to `pushed_to`.
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

    /// Returns the notification in the row.
    ///
    /// # Errors
    /// [`InvalidPayload`] if the stored text is not JSON.
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
