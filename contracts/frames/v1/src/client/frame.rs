//! The frames' types.

use std::borrow::Cow;

use contract_history_v1::{HistoryKind, MAX_PAGE};
use contract_notifications_v1::{HubName, InvalidIdentifier, NotificationId, Payload, Sequence, UserId};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// Names of the actions that a client can ask for.
pub const ACTIONS: [&str; 8] =
    ["sendMessage", "message", "sendmessage", "ping", "ack", "history", "members", "whoami"];

/// Largest number of sequences in one `ack`.
pub const MAX_ACK_SEQUENCES: usize = 1_000;

/// Largest number of sessions in one `sendMessage`.
pub const MAX_SESSIONS: usize = 100;

/// Largest number of users in one answer to `members`.
pub const MAX_MEMBERS: usize = 100;

/// A frame from the client. The gateway's configuration allows or forbids all actions but `ping`, `ack` and
/// `whoami`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(tag = "action")]
pub enum ClientFrame {
    /// Sends the frame itself, without `sessions` and `idempotencyKey`, to each session.
    #[serde(rename = "sendMessage")]
    SendMessage(SendMessage),
    /// Sends a message to a user, a hub, or everyone.
    #[serde(rename = "message")]
    Message(Message),
    /// Sends a text to all members of a hub. The text `ping` is a heartbeat: the gateway answers it with
    /// `pong` and sends it to nobody.
    #[serde(rename = "sendmessage")]
    Broadcast(Broadcast),
    /// Asks for `pong`: a heartbeat for clients that can't send WebSocket pings.
    #[serde(rename = "ping")]
    Ping,
    /// Acknowledges notifications, so that they are no longer held.
    #[serde(rename = "ack")]
    Ack {
        /// Their sequences, in any order, at most 1,000 ([`MAX_ACK_SEQUENCES`]).
        #[schemars(length(max = "MAX_ACK_SEQUENCES"))]
        sequences: Vec<Sequence>,
    },
    /// Asks for the user's own history, newest entries first.
    #[serde(rename = "history")]
    History(HistoryQuery),
    /// Asks for the connected members of a hub, in the order of their ids.
    #[serde(rename = "members")]
    Members(MembersQuery),
    /// Asks for the client's own identity and connection.
    #[serde(rename = "whoami")]
    Whoami,
}

/// Fields of [`ClientFrame::SendMessage`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct SendMessage {
    /// Recipients, 1 to 100 ([`MAX_SESSIONS`]). A session is a user.
    #[schemars(length(min = 1, max = "MAX_SESSIONS"))]
    pub sessions: Vec<Session>,
    /// The sender's idempotency key. The gateway ignores the user's frames with the same key for five minutes.
    #[serde(rename = "idempotencyKey", skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<NotificationId>,
    /// Payload to deliver: the frame without `sessions` and `idempotencyKey`, the other members byte for byte.
    #[serde(skip)]
    #[schemars(skip)]
    pub payload: Payload,
}

/// A recipient of a [`SendMessage`]. A name that no user can have fails alone, when the message is sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Session {
    /// The name that the client wrote; the JSON if it is not a text.
    pub name: Box<str>,
    /// The user of that name.
    pub user: Result<UserId, InvalidIdentifier>,
}

impl Serialize for Session {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (&self.user, serde_json::from_str::<&RawValue>(&self.name)) {
            (Err(InvalidIdentifier::NotText { .. }), Ok(json)) => json.serialize(serializer),
            _ => serializer.serialize_str(&self.name),
        }
    }
}

impl JsonSchema for Session {
    fn schema_name() -> Cow<'static, str> {
        UserId::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        UserId::json_schema(generator)
    }
}

/// Fields of [`ClientFrame::Message`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct Message {
    /// The client's own id of the frame. The gateway ignores it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Payload>,
    /// The sender's idempotency key; see [`SendMessage::idempotency_key`].
    #[serde(rename = "idempotencyKey", skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<NotificationId>,
    /// The message.
    pub data: MessageData,
}

/// A message's content and recipient.
#[derive(Debug, Clone, PartialEq, Eq, Hash, JsonSchema)]
pub struct MessageData {
    /// Any JSON value.
    pub content: Payload,
    /// The recipient.
    pub recipient: Recipient,
    /// The recipient as the client wrote it, if it wrote one.
    #[schemars(skip)]
    pub recipient_as_sent: Option<Payload>,
}

impl Serialize for MessageData {
    /// Writes the recipient as the client wrote it, if it did.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            content: &'a Payload,
            recipient: AsSent<'a>,
        }
        #[derive(Serialize)]
        #[serde(untagged)]
        enum AsSent<'a> {
            Text(&'a Payload),
            Parsed(&'a Recipient),
        }
        let parsed = AsSent::Parsed(&self.recipient);
        let recipient = self.recipient_as_sent.as_ref().map_or(parsed, AsSent::Text);
        Written { content: &self.content, recipient }.serialize(serializer)
    }
}

/// The recipient of a message.
///
/// On the wire the text `all` is everyone and any other text is a user. An object names a user or a hub, so
/// a user may be called `all`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Recipient {
    /// The members of the hub that every connection joins.
    All,
    /// One user.
    User(UserId),
    /// The members of a hub.
    Hub(HubName),
}

/// Fields of [`ClientFrame::Broadcast`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct Broadcast {
    /// The client's own id of the frame. The gateway ignores it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Payload>,
    /// The sender's idempotency key; see [`SendMessage::idempotency_key`].
    #[serde(rename = "idempotencyKey", skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<NotificationId>,
    /// The text; not empty.
    pub message: Box<str>,
    /// The hub to send to; the first of the sender's hubs when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub: Option<HubName>,
}

/// Fields of [`ClientFrame::History`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct HistoryQuery {
    /// The history to read; `messages` when absent.
    pub of: HistoryKind,
    /// Cursor: only entries older than this one are returned. Take it from `next` of an earlier answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Box<str>>,
    /// Largest number of entries to return, 1 to 100 ([`MAX_PAGE`]); 100 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = "MAX_PAGE"))]
    pub limit: Option<usize>,
}

/// Fields of [`ClientFrame::Members`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, JsonSchema)]
pub struct MembersQuery {
    /// The hub; the one that every connection joins when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub: Option<HubName>,
    /// Cursor: only users after this one are returned. Take it from `next` of an earlier answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<UserId>,
    /// Largest number of users to return, 1 to 100 ([`MAX_MEMBERS`]); 100 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = "MAX_MEMBERS"))]
    pub limit: Option<usize>,
}

impl ClientFrame {
    /// Returns the frame's text.
    pub fn to_json(&self) -> String {
        match self {
            Self::SendMessage(send) => {
                // The sessions go behind the payload's members. There is at least one, its action.
                let sessions = serde_json::to_string(&send.sessions).unwrap_or_default();
                let members = send.payload.get().strip_suffix('}').unwrap_or_default();
                let key = send.idempotency_key.as_ref().and_then(|key| serde_json::to_string(key).ok());
                let key = key.map(|key| format!(r#","idempotencyKey":{key}"#)).unwrap_or_default();
                format!(r#"{members}{key},"sessions":{sessions}}}"#)
            }
            // Strings and checked JSON text only: nothing here can fail to serialize.
            _ => serde_json::to_string(self).unwrap_or_default(),
        }
    }
}
