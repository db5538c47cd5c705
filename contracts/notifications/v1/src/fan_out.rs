//! A broadcast: one notification for every member of a hub.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{HubName, Notification, NotificationId, Payload, Timestamp, UserId, WhenOffline};

/// Makes a notification for every member of a hub, in the order of their ids.
///
/// An entry of the queue stands for some of the members; who handles it queues one for those behind them.
/// Every member's notification has the same `id`, which is unique within the member's own message group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FanOut {
    /// Whose members.
    pub hub: HubName,
    /// Only members after this one: those up to it have their notification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<UserId>,
    /// A member who gets none, such as who has joined and is told of to the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub except: Option<UserId>,
    /// The id of every member's notification.
    pub id: NotificationId,
    /// Any JSON value.
    pub payload: Payload,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// From when on it must not be delivered any more; never when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What becomes of it for a member without an open connection.
    pub when_offline: WhenOffline,
    /// The producer's word for what sort of notification it is, at most
    /// [`MAX_LABEL_BYTES`](crate::MAX_LABEL_BYTES).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Box<str>>,
    /// The producer's word for where it comes from, at most [`MAX_LABEL_BYTES`](crate::MAX_LABEL_BYTES).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<str>>,
}

impl FanOut {
    /// The notification of one member.
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

    /// The same broadcast for the members after `user`.
    #[must_use]
    pub fn after(self, user: UserId) -> Self {
        Self { after: Some(user), ..self }
    }
}
