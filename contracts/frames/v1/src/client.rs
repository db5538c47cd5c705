//! Frames from the client.

mod invalid;
mod parse;
mod strip;

use contract_history_v1::{Kind, MAX_PAGE};
use contract_notifications_v1::{HubName, NotificationId, Payload, Sequence, UserId};
use schemars::JsonSchema;
use serde::Serialize;

pub use invalid::InvalidFrame;

/// The actions a client may ask for.
pub const ACTIONS: [&str; 8] =
    ["sendMessage", "message", "sendmessage", "ping", "ack", "history", "members", "whoami"];

/// Most sequences one `ack` may name.
pub const MAX_ACK_SEQUENCES: usize = 1_000;

/// Most sessions one `sendMessage` may name.
pub const MAX_SESSIONS: usize = 100;

/// Most users that one answer to `members` names.
pub const MAX_MEMBERS: usize = 100;

/// A frame from the client. All actions but `ping`, `ack` and `whoami` have to be allowed by the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(tag = "action")]
pub enum ClientFrame {
    /// Sends the frame itself, without `sessions`, to each session.
    #[serde(rename = "sendMessage")]
    SendMessage(SendMessage),
    /// Sends a message to a user, a hub, or everyone.
    #[serde(rename = "message")]
    Message(Message),
    /// Sends a text to all members of a hub. The text `ping` is a heartbeat: it is answered with `pong` and
    /// sent to nobody.
    #[serde(rename = "sendmessage")]
    Broadcast(Broadcast),
    /// Asks for `pong`: a heartbeat for clients that can't send WebSocket pings.
    #[serde(rename = "ping")]
    Ping,
    /// Says which notifications arrived, so that they are not held any longer.
    #[serde(rename = "ack")]
    Ack {
        /// Their sequences, in any order, at most [`MAX_ACK_SEQUENCES`].
        #[schemars(length(max = "MAX_ACK_SEQUENCES"))]
        sequences: Vec<Sequence>,
    },
    /// Asks for what is known of the user's own past, newest first.
    #[serde(rename = "history")]
    History(HistoryQuery),
    /// Asks who is in a hub and connected, in the order of their ids.
    #[serde(rename = "members")]
    Members(MembersQuery),
    /// Asks who the gateway takes the client for.
    #[serde(rename = "whoami")]
    Whoami,
}

/// See [`ClientFrame::SendMessage`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct SendMessage {
    /// Whom it is for: sessions are users. Between 1 and [`MAX_SESSIONS`].
    #[schemars(length(min = 1, max = "MAX_SESSIONS"))]
    pub sessions: Vec<UserId>,
    /// The sender's idempotency key: a second frame of the user with it, within five minutes, is no new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<NotificationId>,
    /// What is delivered: the frame without `sessions`, the other members byte for byte.
    #[serde(skip)]
    #[schemars(skip)]
    pub payload: Payload,
}

/// See [`ClientFrame::Message`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct Message {
    /// The sender's idempotency key; see [`SendMessage::id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<NotificationId>,
    /// The message.
    pub data: MessageData,
}

/// What is sent, and to whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct MessageData {
    /// Any JSON value.
    pub content: Payload,
    /// Whom it is for; everyone when absent.
    #[schemars(default)]
    pub recipient: Recipient,
}

/// Whom a message is for.
///
/// The text `all` is everyone and any other text a user; an object says which it is, so that a user may be
/// called `all`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Recipient {
    /// The members of the hub that every connection joins.
    #[default]
    All,
    /// One user.
    User(UserId),
    /// The members of a hub.
    Hub(HubName),
}

/// See [`ClientFrame::Broadcast`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct Broadcast {
    /// The sender's idempotency key; see [`SendMessage::id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<NotificationId>,
    /// The text; not empty.
    pub message: Box<str>,
    /// To which hub; to the first of the sender's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub: Option<HubName>,
}

/// See [`ClientFrame::History`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct HistoryQuery {
    /// Of what; of messages when absent.
    pub of: Kind,
    /// Only what is older than this entry, which an answer gave as `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Box<str>>,
    /// At most this many rows, between 1 and [`MAX_PAGE`]; as many as that when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = "MAX_PAGE"))]
    pub limit: Option<usize>,
}

/// See [`ClientFrame::Members`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, JsonSchema)]
pub struct MembersQuery {
    /// Of which hub; of the one that every connection joins when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub: Option<HubName>,
    /// Only users after this one: the `next` of an earlier answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<UserId>,
    /// At most this many users, between 1 and [`MAX_MEMBERS`]; as many as that when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = "MAX_MEMBERS"))]
    pub limit: Option<usize>,
}

impl ClientFrame {
    /// The frame's text.
    pub fn to_json(&self) -> String {
        match self {
            Self::SendMessage(send) => {
                // Behind the members of the payload, which has at least its action.
                let sessions = serde_json::to_string(&send.sessions).unwrap_or_default();
                let members = send.payload.get().strip_suffix('}').unwrap_or_default();
                format!(r#"{members},"sessions":{sessions}}}"#)
            }
            // Strings and checked JSON text only: nothing here can fail to serialize.
            _ => serde_json::to_string(self).unwrap_or_default(),
        }
    }

    /// Reads a client's frame. Unknown fields are ignored.
    ///
    /// # Errors
    /// [`InvalidFrame`] naming what is wrong and what is allowed.
    pub fn from_json(text: &str) -> Result<Self, InvalidFrame> {
        parse::frame(text)
    }
}
