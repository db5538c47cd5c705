//! A notification, and the request with which a producer sends one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::InvalidNotification;
#[cfg(doc)]
use crate::error::MAX_LABEL_BYTES;
use crate::identifiers::NotificationId;
use crate::payload::Payload;
use crate::timestamp::Timestamp;
use crate::user_id::UserId;
use crate::version::VERSION;

/// Least time of expiry that a door accepts: March 1973. As seconds it would be in the year 5138.
pub const MIN_EXPIRY_MILLIS: u64 = 100_000_000_000;

/// Treatment of a notification whose user has no open connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WhenOffline {
    /// Keep it in the user's mailbox and deliver it when the user returns.
    #[default]
    Hold,
    /// Discard it. For notifications that are worthless later, such as presence.
    Drop,
}

/// A complete notification for one user, as the queue carries it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// The producer's idempotency key. The queue ignores a repeated id for five minutes.
    pub id: NotificationId,
    /// The user it is for.
    pub user_id: UserId,
    /// Any JSON value.
    pub payload: Payload,
    /// Time at which the producer sent it.
    pub sent_at: Timestamp,
    /// Time from which it is no longer delivered; it never expires when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Treatment while the user has no open connection.
    pub when_offline: WhenOffline,
    /// Category of the notification, chosen by the producer; at most 256 bytes ([`MAX_LABEL_BYTES`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Box<str>>,
    /// Origin of the notification, chosen by the producer; at most 256 bytes ([`MAX_LABEL_BYTES`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<str>>,
}

/// A producer's request: a [`Notification`] in which only the user and the payload are required.
///
/// The body `{"userId": …, "message": …}` is accepted too: `message` is another name of `payload`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "camelCase", transform = allow_message_for_payload)]
pub struct NotificationRequest {
    /// Idempotency key; the gateway creates a UUIDv7 when absent.
    pub id: Option<NotificationId>,
    /// The user it is for.
    pub user_id: UserId,
    /// Any JSON value.
    pub payload: Payload,
    /// Time at which it was sent; the time of acceptance when absent.
    pub sent_at: Option<Timestamp>,
    /// Time from which it is no longer delivered; it never expires when absent.
    pub expires_at: Option<Timestamp>,
    /// Treatment while the user has no open connection.
    #[schemars(default)]
    pub when_offline: WhenOffline,
    /// Category of the notification, chosen by the producer; at most 256 bytes ([`MAX_LABEL_BYTES`]).
    pub kind: Option<Box<str>>,
    /// Origin of the notification, chosen by the producer; at most 256 bytes ([`MAX_LABEL_BYTES`]).
    pub source: Option<Box<str>>,
}

/// Adds `message` to the request's schema as the alternative to `payload`.
fn allow_message_for_payload(schema: &mut schemars::Schema) {
    if let Some(properties) = schema.get_mut("properties").and_then(|value| value.as_object_mut()) {
        let payload = properties.get("payload").cloned().unwrap_or_default();
        properties.insert("message".to_owned(), payload);
    }
    schema.insert("required".to_owned(), serde_json::json!(["userId"]));
    let either = serde_json::json!([{ "required": ["payload"] }, { "required": ["message"] }]);
    schema.insert("oneOf".to_owned(), either);
}

impl NotificationRequest {
    /// Returns the schema of a request at a door that refuses unknown fields. Beside the fields of a request it has those
    /// by which a whole queue entry is one, and it refuses a time of expiry in seconds.
    pub fn strict_schema() -> schemars::Schema {
        let mut schema = schemars::schema_for!(Self);
        if let Some(properties) = schema.get_mut("properties").and_then(|value| value.as_object_mut()) {
            let version =
                serde_json::json!({ "enum": [VERSION, null], "description": "Version of the contract." });
            properties.insert("version".to_owned(), version);
            let kind =
                serde_json::json!({ "enum": ["notification", null], "description": "Kind of queue entry." });
            properties.insert("type".to_owned(), kind);
            if let Some(expiry) = properties.get_mut("expiresAt").and_then(|value| value.as_object_mut()) {
                expiry.insert("minimum".to_owned(), MIN_EXPIRY_MILLIS.into());
            }
        }
        schema.insert("additionalProperties".to_owned(), false.into());
        schema
    }

    /// Checks the time of expiry at a door. Readers of entries don't, because an entry may wait past it.
    ///
    /// # Errors
    /// [`InvalidNotification`] if the time is past, or obviously in seconds.
    pub fn check_expiry(&self, now: Timestamp) -> Result<(), InvalidNotification> {
        let Some(found) = self.expires_at.map(Timestamp::millis) else { return Ok(()) };
        if found < MIN_EXPIRY_MILLIS {
            return Err(InvalidNotification::ExpiresInSeconds { found });
        }
        if found <= now.millis() {
            return Err(InvalidNotification::Expired { found, now: now.millis() });
        }
        Ok(())
    }

    /// Completes the request. `id` and `sent_at` are used where the producer gave none.
    pub fn complete(self, id: impl FnOnce() -> NotificationId, sent_at: Timestamp) -> Notification {
        Notification {
            id: self.id.unwrap_or_else(id),
            user_id: self.user_id,
            payload: self.payload,
            sent_at: self.sent_at.unwrap_or(sent_at),
            expires_at: self.expires_at,
            when_offline: self.when_offline,
            kind: self.kind,
            source: self.source,
        }
    }
}
