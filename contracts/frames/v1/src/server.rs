//! Frames to the client.

use contract_history_v1::Kind;
use contract_notifications_v1::{HubName, NotificationId, Payload, Sequence, Timestamp, UserId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One notification as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The producer's idempotency key.
    pub id: NotificationId,
    /// Its place in the user's order.
    pub sequence: Sequence,
    /// When the producer sent it.
    pub sent_at: Timestamp,
    /// Any JSON value, byte for byte as the producer wrote it.
    pub payload: Payload,
    /// Whether it was held before.
    pub replayed: bool,
    /// The producer's word for what sort of notification it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Box<str>>,
    /// The producer's word for where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<str>>,
}

/// What went wrong with a client's frame, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// Not JSON, or a field of the wrong type.
    BadRequest,
    /// An `action` this gateway does not have.
    UnknownAction,
    /// An action this connection may not use.
    Forbidden,
    /// More actions than are allowed in a time; `retryAfter` says when the next is.
    TooManyRequests,
    /// The gateway's own trouble; trying again may help.
    Internal,
}

/// A frame to the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum ServerFrame {
    /// One notification.
    Notification(Delivery),
    /// Several, in order.
    Notifications {
        /// At least one.
        items: Vec<Delivery>,
    },
    /// The answer to a frame that was refused.
    Error {
        /// For programs.
        code: ErrorCode,
        /// For people.
        message: String,
        /// Names the request in the gateway's log.
        request_id: String,
        /// After how many milliseconds the frame may be sent again, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
    },
    /// The answer to `ping`.
    Pong {
        /// `pong`, in the answer to a `sendmessage` with the text `ping`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<Box<str>>,
    },
    /// The answer to `ack`: these rows are cleared.
    AckOk {
        /// How many sequences the acknowledgement named.
        acknowledged: usize,
    },
    /// The answer to `sendMessage`, `message` and `sendmessage`.
    Sent {
        /// The id of every recipient's notification.
        id: NotificationId,
        /// The sender's own id for it, if the frame had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        idempotency_key: Option<NotificationId>,
        /// What became of it, by recipient, in the order in which they were named.
        results: Vec<SendResult>,
    },
    /// The answer to `history`.
    History {
        /// Of what.
        of: Kind,
        /// The rows, newest first.
        items: Vec<Payload>,
        /// From where to go on, if there are older ones.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Box<str>>,
    },
    /// The answer to `members`.
    Members {
        /// Of which hub.
        hub: HubName,
        /// Who is in it and connected, in the order of their ids; there may be fewer than asked for, or
        /// none, although there are more.
        users: Vec<UserId>,
        /// From where to go on, if there may be more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<UserId>,
    },
    /// The answer to `whoami`.
    Whoami(Whoami),
}

/// What became of a message for one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SendResult {
    /// The recipient as it was named: a user, `hub/` and a hub, or `all`.
    pub to: Box<str>,
    /// Whether it was accepted: then it is delivered, or held, as ordinary notifications are.
    pub accepted: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ErrorCode>,
}

/// Who the gateway takes a client for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Whoami {
    /// The user.
    pub user_id: UserId,
    /// The user's name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<Box<str>>,
    /// By which method that was proved: `token`, `jwt`, `hmac` or `open`.
    pub method: Box<str>,
    /// The connection.
    pub connection_id: Box<str>,
    /// Hubs the connection has joined.
    pub hubs: Vec<HubName>,
    /// When the credential ends, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A frame from a server that this version does not know.
#[derive(Debug, thiserror::Error)]
pub enum InvalidServerFrame {
    /// Not JSON of the expected shape.
    #[error("not a valid frame")]
    Json(#[from] serde_json::Error),
    /// A `type` this version does not have.
    #[error("frame type {0:?} is unknown")]
    UnknownType(String),
}

impl ServerFrame {
    /// The frame's text.
    pub fn to_json(&self) -> String {
        // Strings, numbers and checked JSON text: nothing here can fail to serialize.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a frame, as a client does.
    ///
    /// # Errors
    /// [`InvalidServerFrame`]; a client should pass over types it does not know.
    pub fn from_json(text: &str) -> Result<Self, InvalidServerFrame> {
        // Not a derived tagged enum, which would buffer the value and lose the payload's bytes.
        #[derive(Deserialize)]
        struct Head {
            r#type: String,
        }
        #[derive(Deserialize)]
        struct Items {
            items: Vec<Delivery>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Error {
            code: ErrorCode,
            message: String,
            request_id: String,
            retry_after: Option<u64>,
        }
        #[derive(Deserialize)]
        struct Pong {
            message: Option<Box<str>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Sent {
            id: NotificationId,
            idempotency_key: Option<NotificationId>,
            results: Vec<SendResult>,
        }
        #[derive(Deserialize)]
        struct History {
            of: Kind,
            items: Vec<Payload>,
            next: Option<Box<str>>,
        }
        #[derive(Deserialize)]
        struct Members {
            hub: HubName,
            users: Vec<UserId>,
            next: Option<UserId>,
        }
        #[derive(Deserialize)]
        struct AckOk {
            acknowledged: usize,
        }
        let head: Head = serde_json::from_str(text)?;
        Ok(match head.r#type.as_str() {
            "notification" => Self::Notification(serde_json::from_str(text)?),
            "notifications" => Self::Notifications { items: serde_json::from_str::<Items>(text)?.items },
            "error" => {
                let Error { code, message, request_id, retry_after } = serde_json::from_str(text)?;
                Self::Error { code, message, request_id, retry_after }
            }
            "pong" => Self::Pong { message: serde_json::from_str::<Pong>(text)?.message },
            "sent" => {
                let Sent { id, idempotency_key, results } = serde_json::from_str(text)?;
                Self::Sent { id, idempotency_key, results }
            }
            "history" => {
                let History { of, items, next } = serde_json::from_str(text)?;
                Self::History { of, items, next }
            }
            "members" => {
                let Members { hub, users, next } = serde_json::from_str(text)?;
                Self::Members { hub, users, next }
            }
            "whoami" => Self::Whoami(serde_json::from_str(text)?),
            "ack-ok" => Self::AckOk { acknowledged: serde_json::from_str::<AckOk>(text)?.acknowledged },
            _ => return Err(InvalidServerFrame::UnknownType(head.r#type.chars().take(64).collect())),
        })
    }
}
