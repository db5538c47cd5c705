//! Valid notifications made from a fuzzer's bytes.

use arbitrary::{Arbitrary, Unstructured};
use contract_notifications_v1::{
    MAX_LABEL_BYTES, Notification, NotificationId, Payload, Timestamp, UserId, WhenOffline,
};

/// The text of a valid user id or notification id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identifier(String);

impl<'a> Arbitrary<'a> for Identifier {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let len = bytes.int_in_range(1..=128)?;
        let graphic = |byte: &u8| char::from(b'!' + byte % 94);
        Ok(Self(bytes.bytes(len)?.iter().map(graphic).collect()))
    }
}

impl Identifier {
    /// The identifier of a user.
    pub(crate) fn user(&self) -> UserId {
        // Short ones may be `.` or `..`, which no user has.
        UserId::new(self.0.replace('.', "-")).expect("the id is valid")
    }

    /// The identifier of a notification.
    pub(crate) fn notification(&self) -> NotificationId {
        NotificationId::new(self.0.as_str()).expect("the id is valid")
    }
}

/// The parts of a notification.
#[derive(Debug, Clone, Arbitrary)]
pub(crate) struct AnyNotification {
    id: Identifier,
    user: Identifier,
    /// JSON, or a text that becomes a JSON string.
    payload: String,
    sent_at: u64,
    expires_at: Option<u64>,
    drop: bool,
    kind: Option<String>,
    source: Option<String>,
}

impl AnyNotification {
    /// Makes the notification.
    pub(crate) fn build(&self) -> Notification {
        self.build_for(self.user.user())
    }

    /// Makes the notification for another user.
    pub(crate) fn build_for(&self, user_id: UserId) -> Notification {
        let payload = Payload::from_json(&self.payload).or_else(|_| Payload::from_value(&self.payload));
        Notification {
            id: self.id.notification(),
            user_id,
            payload: payload.expect("a text is a JSON string"),
            sent_at: Timestamp::from_millis(self.sent_at),
            expires_at: self.expires_at.map(Timestamp::from_millis),
            when_offline: if self.drop { WhenOffline::Drop } else { WhenOffline::Hold },
            kind: label(self.kind.as_deref()),
            source: label(self.source.as_deref()),
        }
    }
}

/// The text, cut to the length that a label may have.
fn label(text: Option<&str>) -> Option<Box<str>> {
    text.map(|text| text[..text.floor_char_boundary(MAX_LABEL_BYTES)].into())
}
