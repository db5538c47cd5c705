//! Payloads of notifications between clients. A `sendMessage` delivers the sender's own JSON and has no type
//! here.

use contract_notifications_v1::{HubName, Payload, Timestamp, UserId, written};
use schemars::JsonSchema;
use serde::Serialize;

use crate::client::Recipient;

/// Payload that a `message` action delivers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "action", rename = "message")]
pub struct DirectMessage {
    /// The message.
    pub data: DirectMessageData,
}

/// The forms in which a sender can write a recipient.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum RecipientAsSent {
    /// `all` or a user.
    Text(String),
    /// A user or a hub.
    Object(Recipient),
}

/// Content, sender and recipient of a [`DirectMessage`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DirectMessageData {
    /// The sender's content: any JSON value.
    pub content: Payload,
    /// The user who sent it.
    #[serde(serialize_with = "written::user_id")]
    pub sender: UserId,
    /// The recipient as the sender wrote it; `all` if it wrote none.
    #[schemars(with = "RecipientAsSent")]
    pub recipient: Payload,
    /// Time at which it was sent.
    pub timestamp: Timestamp,
}

/// Payload that a `sendmessage` action delivers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatMessage {
    /// The text after its time and sender, for clients that show it unchanged.
    pub message: String,
    /// The text alone.
    pub text: Box<str>,
    /// The user who sent it.
    #[serde(serialize_with = "written::user_id")]
    pub sender: UserId,
    /// The sender's display name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_name: Option<Box<str>>,
    /// The hub it was sent to.
    pub hub: HubName,
    /// Time at which it was sent.
    pub timestamp: Timestamp,
}

/// Change of a user's presence in a hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PresenceEvent {
    /// The user's first connection to the hub opened.
    Joined,
    /// The user's last connection to the hub closed.
    Left,
}

/// Payload that tells the members of a hub when another member joins or leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Presence {
    /// The event as a sentence, for clients that show it unchanged.
    pub message: String,
    /// The event.
    pub presence: PresenceEvent,
    /// The user who joined or left.
    #[serde(serialize_with = "written::user_id")]
    pub user_id: UserId,
    /// The user's display name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<Box<str>>,
    /// The hub.
    pub hub: HubName,
    /// Time of the event.
    pub timestamp: Timestamp,
}
