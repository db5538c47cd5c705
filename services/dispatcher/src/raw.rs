//! Frames of raw connections: the payload alone.
//!
//! Such a frame has no sender, so a client could write a payload that looks like another's. A payload that a client
//! chose as a whole (the action `sendMessage`) is therefore sent as it is only if it names its sender; else it is
//! wrapped: `{"sender":"…","payload":…}`. The gateway writes the payloads of the other actions, with their sender.

use contract_notifications_v1::{Notification, UserId};
use serde::Deserialize;

/// Source of the notifications that clients send, before the sender's id.
const FROM_USER: &str = "user/";
/// Kind of the notifications whose payload the sender chose.
const CHOSEN: &str = "sendMessage";

/// Appends a raw frame. With `without_sender` it is the payload in any case.
pub(crate) fn encode(into: &mut Vec<u8>, notification: &Notification, without_sender: bool) {
    let payload = notification.payload.get();
    let is_chosen = !without_sender && notification.kind.as_deref() == Some(CHOSEN);
    let sender = notification
        .source
        .as_deref()
        .filter(|_| is_chosen)
        .and_then(|source| source.strip_prefix(FROM_USER));
    match sender {
        Some(sender) if !names(payload, sender) => {
            into.extend_from_slice(br#"{"sender":"#);
            // A text always serializes, and a buffer in memory takes every write.
            let _ = serde_json::to_writer(&mut *into, sender);
            into.extend_from_slice(br#","payload":"#);
            into.extend_from_slice(payload.as_bytes());
            into.push(b'}');
        }
        _ => into.extend_from_slice(payload.as_bytes()),
    }
}

/// Returns true if a payload is an object whose only `sender` is this user.
fn names(payload: &str, sender: &str) -> bool {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        sender: std::borrow::Cow<'a, str>,
    }
    // A repeated field is an error: clients differ in which of them counts. An array would be read as a sequence of
    // fields, and has no sender.
    payload.trim_start().starts_with('{')
        && serde_json::from_str::<Named<'_>>(payload).is_ok_and(|named| {
            let id = |text: &str| UserId::new(text).ok();
            named.sender == sender || (id(&named.sender).is_some() && id(&named.sender) == id(sender))
        })
}

#[cfg(test)]
mod tests {
    use contract_notifications_v1::{NotificationId, Payload, Timestamp, WhenOffline};

    use super::*;

    fn frame(payload: &str, source: Option<&str>, kind: &str, without_sender: bool) -> String {
        let notification = Notification {
            id: NotificationId::new("n").unwrap(),
            user_id: UserId::new("jo").unwrap(),
            payload: serde_json::from_str::<Payload>(payload).unwrap(),
            sent_at: Timestamp::default(),
            expires_at: None,
            when_offline: WhenOffline::Hold,
            kind: Some(kind.into()),
            source: source.map(Into::into),
        };
        let mut text = Vec::new();
        encode(&mut text, &notification, without_sender);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn payload_that_names_no_sender_is_wrapped() {
        let of_mallory = |payload| frame(payload, Some("user/mallory"), CHOSEN, false);
        for forged in [
            r#"{"from":"alice","text":"send money"}"#,
            r#"{"sender":"alice"}"#,
            r#"{"sender":"mallory","sender":"alice"}"#,
            r#"{"sender":{"id":"mallory"}}"#,
            r#"["mallory"]"#,
            r#""mallory""#,
            "1",
        ] {
            assert_eq!(of_mallory(forged), format!(r#"{{"sender":"mallory","payload":{forged}}}"#));
        }
    }

    #[test]
    fn payload_that_names_its_sender_is_left_as_it_is() {
        let honest = r#"{"text":"hi","sender":"mallory"}"#;
        assert_eq!(frame(honest, Some("user/mallory"), CHOSEN, false), honest);
        let carried = r#"{"sender":"u8:dHdvIHdvcmRz"}"#;
        assert_eq!(frame(carried, Some("user/two words"), CHOSEN, false), carried);
    }

    #[test]
    fn other_payloads_are_left_as_they_are() {
        let payload = r#"{"text":"hi"}"#;
        assert_eq!(frame(payload, None, CHOSEN, false), payload);
        assert_eq!(frame(payload, Some("shop"), CHOSEN, false), payload);
        assert_eq!(frame(payload, Some("user/mallory"), "message", false), payload);
        assert_eq!(frame(payload, Some("user/mallory"), CHOSEN, true), payload);
    }
}
