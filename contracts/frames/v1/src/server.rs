//! Frames to the client.

use contract_history_v1::HistoryKind;
use contract_notifications_v1::{HubName, NotificationId, Payload, Sequence, Timestamp, UserId, written};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One notification as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The producer's idempotency key.
    pub id: NotificationId,
    /// Position in the user's order.
    pub sequence: Sequence,
    /// Time at which the producer sent it.
    pub sent_at: Timestamp,
    /// Any JSON value, byte for byte as the producer wrote it.
    pub payload: Payload,
    /// True if it was held before this delivery.
    pub replayed: bool,
    /// Category of the notification, chosen by the producer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Box<str>>,
    /// Origin of the notification, chosen by the producer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<str>>,
}

/// Machine-readable reason for refusing a client's frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// The frame is not JSON, or a field has the wrong type.
    BadRequest,
    /// The gateway does not have this `action`.
    UnknownAction,
    /// The connection may not use this action.
    Forbidden,
    /// The rate limit is exceeded. `retryAfter` is the time to wait.
    TooManyRequests,
    /// The gateway failed. Retrying may help.
    Internal,
}

/// A frame to the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum ServerFrame {
    /// One notification.
    Notification(Delivery),
    /// Several notifications, in order.
    Notifications {
        /// The notifications, at least one.
        items: Vec<Delivery>,
    },
    /// Answer to a frame that was refused.
    Error {
        /// Machine-readable reason.
        code: ErrorCode,
        /// Explanation for people.
        message: String,
        /// Id of the request in the gateway's log.
        request_id: String,
        /// Milliseconds to wait before sending the frame again, if known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
    },
    /// Answer to `ping`.
    Pong {
        /// The text `pong`, only in the answer to a `sendmessage` with the text `ping`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<Box<str>>,
        /// Milliseconds without a frame of the client's after which it should send the next `ping`, where the gateway
        /// closes idle connections. Sooner is not needed, later is too late.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        heartbeat: Option<u64>,
    },
    /// Answer to `ack`: the rows are cleared.
    AckOk {
        /// Number of sequences in the `ack`.
        acknowledged: usize,
    },
    /// Answer to `sendMessage`, `message` and `sendmessage`.
    Sent {
        /// Id of every recipient's notification.
        id: NotificationId,
        /// The `idempotencyKey` of the frame, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        idempotency_key: Option<NotificationId>,
        /// Result for each recipient, in the order of the frame.
        results: Vec<SendResult>,
    },
    /// Answer to `history`.
    History {
        /// The history that was read.
        of: HistoryKind,
        /// Entries, newest first.
        items: Vec<Payload>,
        /// Cursor for `before` of the next page, if there are older entries.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Box<str>>,
    },
    /// Answer to `members`.
    Members {
        /// The hub.
        hub: HubName,
        /// Connected members, in the order of their ids. A page may be short or empty although more members
        /// follow.
        #[serde(serialize_with = "written::user_ids")]
        users: Vec<UserId>,
        /// Cursor for `after` of the next page, if more members may follow.
        #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "written::optional")]
        next: Option<UserId>,
    },
    /// Answer to `whoami`.
    Whoami(Whoami),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// Result of sending a message to one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SendResult {
    /// The recipient: a user, `hub/` and a hub, or `all`.
    pub to: Box<str>,
    /// True if the message was accepted. It is then delivered or held as an ordinary notification.
    pub accepted: bool,
    /// True if the recipient is a hub, and some members' notifications are accepted only after this answer. What is sent to
    /// such a member next may arrive first.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pending: bool,
    /// Reason for not accepting it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ErrorCode>,
    /// Explanation for people, if the recipient's name is not valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Box<str>>,
}

/// A client's identity and connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Whoami {
    /// The user.
    #[serde(serialize_with = "written::user_id")]
    pub user_id: UserId,
    /// The user's display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<Box<str>>,
    /// Method by which the user was authenticated: `token`, `jwt`, `hmac` or `open`.
    pub method: Box<str>,
    /// The connection's id.
    pub connection_id: Box<str>,
    /// Hubs that the connection has joined.
    pub hubs: Vec<HubName>,
    /// Time at which the credential expires; it never expires when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Errors of reading a frame from a server.
#[derive(Debug, thiserror::Error)]
pub enum InvalidServerFrame {
    /// The frame is not JSON of the expected form.
    #[error("not a valid frame")]
    Json(#[from] serde_json::Error),
    /// This version does not have the frame's `type`.
    #[error("frame type {0:?} is unknown")]
    UnknownType(String),
}

impl ServerFrame {
    /// Returns the frame's text.
    pub fn to_json(&self) -> String {
        // Strings, numbers and checked JSON text: nothing here can fail to serialize.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Parses a frame, as a client does.
    ///
    /// # Errors
    /// [`InvalidServerFrame`]. A client should skip frames of unknown type.
    pub fn from_json(text: &str) -> Result<Self, InvalidServerFrame> {
        // A derived tagged enum would buffer the value and lose the payload's bytes.
        #[derive(Deserialize)]
        struct Tag {
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
            heartbeat: Option<u64>,
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
            of: HistoryKind,
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
        let tag: Tag = serde_json::from_str(text)?;
        Ok(match tag.r#type.as_str() {
            "notification" => Self::Notification(serde_json::from_str(text)?),
            "notifications" => Self::Notifications { items: serde_json::from_str::<Items>(text)?.items },
            "error" => {
                let Error { code, message, request_id, retry_after } = serde_json::from_str(text)?;
                Self::Error { code, message, request_id, retry_after }
            }
            "pong" => {
                let Pong { message, heartbeat } = serde_json::from_str(text)?;
                Self::Pong { message, heartbeat }
            }
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
            _ => return Err(InvalidServerFrame::UnknownType(tag.r#type.chars().take(64).collect())),
        })
    }
}
