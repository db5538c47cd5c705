//! Payloads of the notifications that clients send to each other. What `sendMessage` delivers is the
//! sender's own and has no type here.

use contract_notifications_v1::{HubName, Payload, Timestamp, UserId};
use schemars::JsonSchema;
use serde::Serialize;

use crate::client::Recipient;

/// What `message` delivers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "action", rename = "message")]
pub struct DirectMessage {
    /// The message.
    pub data: DirectMessageData,
}

/// See [`DirectMessage`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DirectMessageData {
    /// What the sender sent: any JSON value.
    pub content: Payload,
    /// Who sent it.
    pub sender: UserId,
    /// Whom it was sent to.
    pub recipient: Recipient,
    /// When.
    pub timestamp: Timestamp,
}

/// What `sendmessage` delivers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatMessage {
    /// The text with time and sender before it, for clients that show it as it is.
    pub message: String,
    /// The text alone.
    pub text: Box<str>,
    /// Who sent it.
    pub sender: UserId,
    /// The sender's name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_name: Option<Box<str>>,
    /// To which hub.
    pub hub: HubName,
    /// When.
    pub timestamp: Timestamp,
}

/// Whether somebody came or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PresenceEvent {
    /// The user's first connection to the hub opened.
    Joined,
    /// The user's last connection to the hub closed.
    Left,
}

/// What the members of a hub are told when another comes or goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Presence {
    /// The same in words, for clients that show it as it is.
    pub message: String,
    /// Which of the two.
    pub presence: PresenceEvent,
    /// Who.
    pub user_id: UserId,
    /// The user's name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<Box<str>>,
    /// Which hub.
    pub hub: HubName,
    /// When.
    pub timestamp: Timestamp,
}
