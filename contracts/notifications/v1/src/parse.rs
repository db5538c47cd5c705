//! Parses queue entries and producers' requests.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::entry::{QueueEntry, Replay};
use crate::error::{InvalidNotification, MAX_LABEL_BYTES};
use crate::fan_out::FanOut;
use crate::identifiers::{HubName, NotificationId};
use crate::mistake::{KnownFields, RequestType, mistake, not_an_object};
use crate::notification::{NotificationRequest, WhenOffline};
use crate::payload::Payload;
use crate::timestamp::Timestamp;
use crate::truncate::{truncated, truncated_error};
use crate::user_id::UserId;
use crate::version::{VERSION, Version1};

/// Treatment of fields that a producer's request may not have, at a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownFields {
    /// Refuse the request, because an unknown field is most often a misspelt one.
    #[default]
    Refuse,
    /// Ignore the field, as readers of queue entries do.
    Ignore,
}

impl NotificationRequest {
    /// Parses the body of a producer's request. Ignores unknown fields.
    ///
    /// # Errors
    /// [`InvalidNotification`] with what is wrong and what is allowed.
    pub fn from_json(body: &str) -> Result<Self, InvalidNotification> {
        Self::from_json_with(body, UnknownFields::Ignore)
    }

    /// Parses the body of a producer's request.
    ///
    /// # Errors
    /// [`InvalidNotification`] with what is wrong and what is allowed.
    pub fn from_json_with(body: &str, unknown_fields: UnknownFields) -> Result<Self, InvalidNotification> {
        let fields = match unknown_fields {
            UnknownFields::Refuse => parse::<RequestFields<'_>>(body, KnownFields::Request)?.into(),
            UnknownFields::Ignore => Fields::from_json(body)?,
        };
        fields.require_version()?;
        fields.into_request()
    }
}

impl QueueEntry {
    /// Parses an entry's body. `id` and `sent_at`, the queue's deduplication ID and send time, are used
    /// where a notification's body has none.
    ///
    /// # Errors
    /// [`InvalidNotification`]. Retrying such an entry never succeeds.
    pub fn from_json(
        body: &str,
        id: impl FnOnce() -> NotificationId,
        sent_at: Timestamp,
    ) -> Result<Self, InvalidNotification> {
        let fields = Fields::from_json(body)?;
        fields.require_version()?;
        match fields.entry_type.as_ref().map(|text| text.0.as_ref()) {
            None | Some("notification") => {
                Ok(Self::Notification(fields.into_request()?.complete(id, sent_at)))
            }
            Some("replay") => fields.into_replay().map(Self::Replay),
            Some("fan-out") => fields.into_fan_out(id, sent_at).map(Self::FanOut),
            Some(other) => Err(InvalidNotification::UnknownType { found: truncated(other) }),
        }
    }
}

/// All fields that any kind of entry can have, read in one pass. The required ones are checked afterwards.
///
/// A derived tagged enum would buffer the value and so lose the payload's bytes.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
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

/// The fields that a producer's request can have. A whole queue entry is such a request too, if it is a notification.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RequestFields<'a> {
    version: Option<u32>,
    #[serde(rename = "type")]
    #[expect(dead_code, reason = "only its value is checked")]
    entry_type: Option<RequestType>,
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
}

impl<'a> From<RequestFields<'a>> for Fields<'a> {
    fn from(fields: RequestFields<'a>) -> Self {
        let RequestFields { version, id, user_id, payload, message, .. } = fields;
        let RequestFields { sent_at, expires_at, when_offline, kind, source, .. } = fields;
        Self {
            version,
            id,
            user_id,
            payload,
            message,
            sent_at,
            expires_at,
            when_offline,
            kind,
            source,
            ..Self::default()
        }
    }
}

/// Parses a body. What is wrong with it is looked for only after it was refused.
fn parse<'a, T: Deserialize<'a>>(body: &'a str, known: KnownFields) -> Result<T, InvalidNotification> {
    // A derived struct would also be read from an array of its fields.
    if body.trim_ascii_start().starts_with('[') {
        return Err(not_an_object(body));
    }
    serde_json::from_str(body)
        .map_err(|error| mistake(body, known).unwrap_or_else(|| truncated_error(error).into()))
}

/// Text that is copied only when it contains escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Deserializes a field that is present, so that `null`, a payload like any other, is not taken for an
/// absent field.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl<'a> Fields<'a> {
    fn from_json(body: &'a str) -> Result<Self, InvalidNotification> {
        parse(body, KnownFields::Entry)
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
