//! Entries of the notifications queue.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

use crate::fan_out::FanOut;
use crate::notification::Notification;
use crate::sequence::Sequence;
use crate::user_id::UserId;
use crate::version::Version1;

/// Starts the delivery of held notifications: every row of the user's mailbox up to and including
/// `sequence` that is still there and was accepted before this entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replay {
    /// The mailbox's user.
    pub user_id: UserId,
    /// Sequence of the last row to deliver.
    pub sequence: Sequence,
}

/// One entry of the notifications queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(tag = "type", rename_all = "kebab-case")]
pub enum QueueEntry {
    /// A new notification. Its `type` may be absent on the wire.
    Notification(Notification),
    /// Held notifications to deliver now.
    Replay(Replay),
    /// A notification for every member of a hub.
    FanOut(FanOut),
}

impl QueueEntry {
    /// Returns the entry's body.
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Tagged<'a, T> {
            version: Version1,
            r#type: &'static str,
            #[serde(flatten)]
            entry: &'a T,
        }
        let json = match self {
            Self::Notification(entry) => {
                serde_json::to_string(&Tagged { version: Version1, r#type: "notification", entry })
            }
            Self::Replay(entry) => {
                serde_json::to_string(&Tagged { version: Version1, r#type: "replay", entry })
            }
            Self::FanOut(entry) => {
                serde_json::to_string(&Tagged { version: Version1, r#type: "fan-out", entry })
            }
        };
        // Strings, numbers and checked JSON text: nothing here can fail to serialize.
        json.unwrap_or_default()
    }

    /// Returns the entry's message group: the user, or the hub of a broadcast.
    pub fn group(&self) -> Cow<'_, str> {
        match self {
            Self::Notification(notification) => notification.user_id.as_str().into(),
            Self::Replay(replay) => replay.user_id.as_str().into(),
            Self::FanOut(fan_out) => fan_out.hub.group().into(),
        }
    }
}
