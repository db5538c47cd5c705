//! A broadcast: one notification for every member of a hub.

use schemars::JsonSchema;
use serde::Serialize;

use crate::identifiers::{HubName, NotificationId};
use crate::notification::{Notification, WhenOffline};
use crate::payload::Payload;
use crate::timestamp::Timestamp;
use crate::user_id::UserId;

/// Creates a notification for every member of a hub, in the order of user ids.
///
/// One queue entry covers some of the members. Its handler enqueues another entry for the members after
/// them. All these notifications have the same `id`, which is unique in each member's message group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FanOut {
    /// The hub whose members receive the notification.
    pub hub: HubName,
    /// The last member served by an earlier entry. Only members after it are left to serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<UserId>,
    /// A member to skip, such as the user whose arrival the broadcast announces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub except: Option<UserId>,
    /// Id of every member's notification.
    pub id: NotificationId,
    /// Any JSON value.
    pub payload: Payload,
    /// Time at which it was sent.
    pub sent_at: Timestamp,
    /// Time from which it is no longer delivered; it never expires when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Treatment for members without an open connection.
    pub when_offline: WhenOffline,
    /// Category of the notification, chosen by the producer; at most 256 bytes
    /// ([`MAX_LABEL_BYTES`](crate::MAX_LABEL_BYTES)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Box<str>>,
    /// Origin of the notification, chosen by the producer; at most 256 bytes
    /// ([`MAX_LABEL_BYTES`](crate::MAX_LABEL_BYTES)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<str>>,
}

impl FanOut {
    /// Returns one member's notification.
    pub fn for_member(&self, user_id: UserId) -> Notification {
        Notification {
            id: self.id.clone(),
            user_id,
            payload: self.payload.clone(),
            sent_at: self.sent_at,
            expires_at: self.expires_at,
            when_offline: self.when_offline,
            kind: self.kind.clone(),
            source: self.source.clone(),
        }
    }

    /// Returns the same broadcast for the members after `user`.
    #[must_use]
    pub fn after(self, user: UserId) -> Self {
        Self { after: Some(user), ..self }
    }
}
