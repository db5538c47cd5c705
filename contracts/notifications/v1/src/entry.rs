//! The queue's entries and the request a producer makes.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::error::{InvalidNotification, bounded, excerpt};
use crate::{
    FanOut, HubName, MAX_LABEL_BYTES, NotificationId, Payload, Sequence, Timestamp, UserId, VERSION, Version1,
};

/// What becomes of a notification whose user has no open connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WhenOffline {
    /// Keep it in the user's mailbox and deliver it when the user returns.
    #[default]
    Hold,
    /// Forget it: for what is worthless later, such as presence.
    Drop,
}

/// A notification for one user, complete, as the queue carries it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// The producer's idempotency key; a second acceptance of it within five minutes is no new one.
    pub id: NotificationId,
    /// Who it is for.
    pub user_id: UserId,
    /// Any JSON value.
    pub payload: Payload,
    /// When the producer sent it.
    pub sent_at: Timestamp,
    /// From when on it must not be delivered any more; never when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What becomes of it while the user has no open connection.
    pub when_offline: WhenOffline,
    /// The producer's word for what sort of notification it is, at most [`MAX_LABEL_BYTES`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Box<str>>,
    /// The producer's word for where it comes from, at most [`MAX_LABEL_BYTES`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<str>>,
}

/// Makes a held notification be delivered: names one row of the user's mailbox.
///
/// Delivering it means delivering every row of that mailbox up to and including `sequence` that is
/// still there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replay {
    /// Whose mailbox.
    pub user_id: UserId,
    /// Which row.
    pub sequence: Sequence,
}

/// What a producer sends: a [`Notification`] in which all but the user and the payload may be left out.
///
/// The body `{"userId": …, "message": …}` is accepted too: `message` is another name of `payload`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "camelCase", transform = payload_or_message)]
pub struct NotificationRequest {
    /// Idempotency key; a UUIDv7 when absent.
    pub id: Option<NotificationId>,
    /// Who it is for.
    pub user_id: UserId,
    /// Any JSON value.
    pub payload: Payload,
    /// When it was sent; the time of acceptance when absent.
    pub sent_at: Option<Timestamp>,
    /// From when on it must not be delivered any more; never when absent.
    pub expires_at: Option<Timestamp>,
    /// What becomes of it while the user has no open connection.
    #[schemars(default)]
    pub when_offline: WhenOffline,
    /// The producer's word for what sort of notification it is, at most [`MAX_LABEL_BYTES`].
    pub kind: Option<Box<str>>,
    /// The producer's word for where it comes from, at most [`MAX_LABEL_BYTES`].
    pub source: Option<Box<str>>,
}

/// Writes into the request's schema that `message` may stand for `payload`.
fn payload_or_message(schema: &mut schemars::Schema) {
    if let Some(properties) = schema.get_mut("properties").and_then(|value| value.as_object_mut()) {
        let payload = properties.get("payload").cloned().unwrap_or_default();
        properties.insert("message".to_owned(), payload);
    }
    schema.insert("required".to_owned(), serde_json::json!(["userId"]));
    let either = serde_json::json!([{ "required": ["payload"] }, { "required": ["message"] }]);
    schema.insert("oneOf".to_owned(), either);
}

impl NotificationRequest {
    /// Reads a producer's body.
    ///
    /// # Errors
    /// [`InvalidNotification`] naming what is wrong and what is allowed.
    pub fn from_json(body: &str) -> Result<Self, InvalidNotification> {
        let wire = Wire::from_json(body)?;
        wire.require_version()?;
        wire.into_request()
    }

    /// Completes the request: `id` and `sent_at` stand in for what the producer left out.
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

/// One entry of the notifications queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(tag = "type", rename_all = "kebab-case")]
pub enum QueueEntry {
    /// A new notification. On the wire the `type` may be left out.
    Notification(Notification),
    /// A held notification to be delivered now.
    Replay(Replay),
    /// A notification for every member of a hub.
    FanOut(FanOut),
}

impl QueueEntry {
    /// Reads an entry's body. A notification's `id` and `sent_at`, when its body leaves them out, are the
    /// queue's own deduplication ID and send time.
    ///
    /// # Errors
    /// [`InvalidNotification`]: such an entry can never succeed.
    pub fn from_json(
        body: &str,
        id: impl FnOnce() -> NotificationId,
        sent_at: Timestamp,
    ) -> Result<Self, InvalidNotification> {
        let wire = Wire::from_json(body)?;
        wire.require_version()?;
        match wire.entry_type.as_ref().map(|text| text.0.as_ref()) {
            None | Some("notification") => Ok(Self::Notification(wire.into_request()?.complete(id, sent_at))),
            Some("replay") => wire.into_replay().map(Self::Replay),
            Some("fan-out") => wire.into_fan_out(id, sent_at).map(Self::FanOut),
            Some(other) => Err(InvalidNotification::UnknownType { found: excerpt(other) }),
        }
    }

    /// The entry's body.
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

    /// The message group the entry belongs to: its user, or its hub's.
    pub fn group(&self) -> Cow<'_, str> {
        match self {
            Self::Notification(notification) => notification.user_id.as_str().into(),
            Self::Replay(replay) => replay.user_id.as_str().into(),
            Self::FanOut(fan_out) => fan_out.hub.group().into(),
        }
    }
}

/// Every field any entry may have, read in one pass; what is needed is decided afterwards.
///
/// A derived tagged enum would buffer the value and so lose the payload's bytes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    version: Option<u32>,
    #[serde(rename = "type", borrow)]
    entry_type: Option<Text<'a>>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    user_id: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    payload: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    message: Option<&'a RawValue>,
    sent_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    when_offline: Option<WhenOffline>,
    kind: Option<Box<str>>,
    source: Option<Box<str>>,
    #[serde(borrow)]
    sequence: Option<Text<'a>>,
    #[serde(borrow)]
    hub: Option<Text<'a>>,
    #[serde(borrow)]
    after: Option<Text<'a>>,
    #[serde(borrow)]
    except: Option<Text<'a>>,
}

/// Text that is copied only when it holds escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Tells a field that is `null` (a payload like any other) from one that is not there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl<'a> Wire<'a> {
    fn from_json(body: &'a str) -> Result<Self, serde_json::Error> {
        // A derived struct would be read from an array of its fields too.
        if body.trim_ascii_start().starts_with('[') {
            return Err(serde::de::Error::custom("an array, not an object"));
        }
        serde_json::from_str(body).map_err(bounded)
    }

    fn require_version(&self) -> Result<(), InvalidNotification> {
        Ok(Version1::try_from(self.version.unwrap_or(VERSION)).map(drop)?)
    }

    fn user_id(&self) -> Result<UserId, InvalidNotification> {
        let text = self.user_id.as_ref().ok_or(InvalidNotification::Missing { field: "userId" })?;
        Ok(UserId::new(text.0.as_ref())?)
    }

    fn payload(&self) -> Result<Payload, InvalidNotification> {
        match (self.payload, self.message) {
            (Some(_), Some(_)) => Err(InvalidNotification::PayloadTwice),
            (Some(raw), None) | (None, Some(raw)) => Ok(raw.into()),
            (None, None) => Err(InvalidNotification::Missing { field: "payload" }),
        }
    }

    fn check_labels(&self) -> Result<(), InvalidNotification> {
        for (field, label) in [("kind", &self.kind), ("source", &self.source)] {
            if let Some(text) = label.as_deref().filter(|text| text.len() > MAX_LABEL_BYTES) {
                return Err(InvalidNotification::LabelTooLong { field, length: text.len() });
            }
        }
        Ok(())
    }

    fn into_request(self) -> Result<NotificationRequest, InvalidNotification> {
        let (user_id, payload) = (self.user_id()?, self.payload()?);
        self.check_labels()?;
        Ok(NotificationRequest {
            id: self.id.map(|id| NotificationId::new(id.0.as_ref())).transpose()?,
            user_id,
            payload,
            sent_at: self.sent_at,
            expires_at: self.expires_at,
            when_offline: self.when_offline.unwrap_or_default(),
            kind: self.kind,
            source: self.source,
        })
    }

    fn into_replay(self) -> Result<Replay, InvalidNotification> {
        let sequence = self.sequence.as_ref().ok_or(InvalidNotification::Missing { field: "sequence" })?;
        Ok(Replay { user_id: self.user_id()?, sequence: sequence.0.parse()? })
    }

    fn into_fan_out(
        self,
        id: impl FnOnce() -> NotificationId,
        sent_at: Timestamp,
    ) -> Result<FanOut, InvalidNotification> {
        let hub = self.hub.as_ref().ok_or(InvalidNotification::Missing { field: "hub" })?;
        let hub = HubName::new(hub.0.as_ref())?;
        let payload = self.payload()?;
        self.check_labels()?;
        let user = |text: Option<Text<'_>>| text.map(|text| UserId::new(text.0.as_ref())).transpose();
        Ok(FanOut {
            hub,
            after: user(self.after)?,
            except: user(self.except)?,
            id: self.id.map(|id| NotificationId::new(id.0.as_ref())).transpose()?.unwrap_or_else(id),
            payload,
            sent_at: self.sent_at.unwrap_or(sent_at),
            expires_at: self.expires_at,
            when_offline: self.when_offline.unwrap_or_default(),
            kind: self.kind,
            source: self.source,
        })
    }
}
