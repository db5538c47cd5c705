//! Encodes notification frames.
//!
//! A gateway encodes a frame for every delivery, so this code writes the JSON by hand, without intermediate
//! copies: serde would escape every field name letter by letter. The output is that of
//! [`ServerFrame`](crate::ServerFrame).

use std::io;

use contract_notifications_v1::{Notification, Sequence};

/// Appends the `notification` frame of one notification to `into`.
pub fn encode_single(into: &mut Vec<u8>, notification: &Notification, sequence: Sequence, replayed: bool) {
    into.extend_from_slice(SINGLE.as_bytes());
    write_fields(into, notification, sequence, replayed);
}

/// Appends the `notifications` frame of several notifications to `into`, in the order given.
pub fn encode_batch<'a>(
    into: &mut Vec<u8>,
    items: impl IntoIterator<Item = (&'a Notification, Sequence, bool)>,
) {
    into.extend_from_slice(br#"{"type":"notifications","items":["#);
    for (index, (notification, sequence, replayed)) in items.into_iter().enumerate() {
        into.extend_from_slice(if index > 0 { b",{" } else { b"{" });
        write_fields(into, notification, sequence, replayed);
    }
    into.extend_from_slice(b"]}");
}

/// Returns the largest number of bytes that a notification takes in a frame, envelope included. A frame of
/// its own is at most this long, and a frame of several is at most as long as their sum.
pub fn item_len(notification: &Notification) -> usize {
    let Notification { id, sent_at, payload, kind, source, .. } = notification;
    let label = |name: &str, text: Option<&str>| text.map_or(0, |text| name.len() + text_len(text));
    let names = [ID, SEQUENCE, SENT_AT, PAYLOAD, NOT_REPLAYED].map(str::len);
    SINGLE.len()
        + names.iter().sum::<usize>()
        + text_len(id.as_str())
        + Sequence::DIGITS
        + sent_at.millis().checked_ilog10().unwrap_or(0) as usize
        + 1
        + payload.get().len()
        + label(KIND, kind.as_deref())
        + label(SOURCE, source.as_deref())
        + END.len()
}

const SINGLE: &str = r#"{"type":"notification","#;
const ID: &str = r#""id":"#;
const SEQUENCE: &str = r#","sequence":""#;
const SENT_AT: &str = r#"","sentAt":"#;
const PAYLOAD: &str = r#","payload":"#;
const REPLAYED: &str = r#","replayed":true"#;
const NOT_REPLAYED: &str = r#","replayed":false"#;
const KIND: &str = r#","kind":"#;
const SOURCE: &str = r#","source":"#;
const END: &str = "}";

/// Appends a notification's fields and the closing brace of its object.
fn write_fields(into: &mut Vec<u8>, notification: &Notification, sequence: Sequence, replayed: bool) {
    let Notification { id, sent_at, payload, kind, source, .. } = notification;
    into.extend_from_slice(ID.as_bytes());
    write_text(into, id.as_str());
    into.extend_from_slice(SEQUENCE.as_bytes());
    into.extend_from_slice(&sequence.digits());
    into.extend_from_slice(SENT_AT.as_bytes());
    write_json(&mut *into, sent_at);
    into.extend_from_slice(PAYLOAD.as_bytes());
    into.extend_from_slice(payload.get().as_bytes());
    into.extend_from_slice(if replayed { REPLAYED } else { NOT_REPLAYED }.as_bytes());
    for (name, text) in [(KIND, kind), (SOURCE, source)] {
        if let Some(text) = text {
            into.extend_from_slice(name.as_bytes());
            write_text(into, text);
        }
    }
    into.extend_from_slice(END.as_bytes());
}

fn write_text(into: &mut Vec<u8>, text: &str) {
    if is_plain(text) {
        into.push(b'"');
        into.extend_from_slice(text.as_bytes());
        into.push(b'"');
    } else {
        write_json(into, text);
    }
}

/// Returns the number of bytes that [`write_text`] appends.
fn text_len(text: &str) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    if is_plain(text) {
        return text.len() + 2;
    }
    let mut count = Count(0);
    write_json(&mut count, text);
    count.0
}

/// Returns true if a text needs no escapes in JSON (<https://www.rfc-editor.org/rfc/rfc8259#section-7>).
fn is_plain(text: &str) -> bool {
    let is_special = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    // No early return, so that the compiler can check many bytes at once.
    text.bytes().fold(0, |seen, byte| seen | u8::from(is_special(byte))) == 0
}

fn write_json(into: impl io::Write, value: &(impl serde::Serialize + ?Sized)) {
    // Writing a text or a number to a buffer in memory can't fail.
    let _ = serde_json::to_writer(into, value);
}

#[cfg(test)]
mod tests {
    use contract_notifications_v1::{NotificationId, NotificationRequest, Timestamp};
    use proptest::prelude::*;

    use super::*;
    use crate::{Delivery, ServerFrame};

    fn notification(body: &str) -> Notification {
        NotificationRequest::from_json(body)
            .unwrap()
            .complete(|| NotificationId::new("n").unwrap(), Timestamp::from_millis(1))
    }

    #[test]
    fn encoded_frames_are_read_by_the_types() {
        let a = notification(r#"{"userId":"u","payload":{"x": 1.0},"kind":"k\"","source":"s"}"#);
        let b = notification(r#"{"userId":"u","payload":null}"#);
        let mut single = Vec::new();
        encode_single(&mut single, &a, Sequence::new(1), true);
        let ServerFrame::Notification(delivery) =
            ServerFrame::from_json(std::str::from_utf8(&single).unwrap()).unwrap()
        else {
            panic!("not a notification")
        };
        assert_eq!(delivery.payload.get(), r#"{"x": 1.0}"#);
        assert_eq!(delivery.kind.as_deref(), Some("k\""));
        assert!(delivery.replayed);

        let mut batch = Vec::new();
        encode_batch(&mut batch, [(&a, Sequence::new(1), true), (&b, Sequence::new(2), false)]);
        let ServerFrame::Notifications { items } =
            ServerFrame::from_json(std::str::from_utf8(&batch).unwrap()).unwrap()
        else {
            panic!("not notifications")
        };
        assert_eq!(items[0], delivery);
        assert_eq!((items[1].sequence, items[1].replayed), (Sequence::new(2), false));
        // The computed length is never less than the real one.
        let counted = item_len(&a) + item_len(&b);
        assert!(counted >= batch.len(), "{counted}");
        for notification in [&a, &b] {
            let mut longest = Vec::new();
            encode_single(&mut longest, notification, Sequence::MAX, false);
            assert_eq!(item_len(notification), longest.len());
        }
    }

    proptest! {
        #[test]
        fn encoders_write_the_same_bytes_as_serde(
            kind: Option<Box<str>>,
            source in proptest::option::of("[ -~]{0,40}"),
            sent_at: u64,
            sequence: u128,
            replayed: bool,
        ) {
            let mut notification = notification(r#"{"userId":"u","payload":[1 , 2]}"#);
            (notification.kind, notification.source) = (kind, source.map(String::into_boxed_str));
            notification.sent_at = Timestamp::from_millis(sent_at);
            let Notification { id, payload, kind, source, sent_at, .. } = notification.clone();
            let sequence = Sequence::new(sequence);
            let delivery = Delivery { id, sequence, sent_at, payload, replayed, kind, source };
            let mut single = Vec::new();
            encode_single(&mut single, &notification, sequence, replayed);
            prop_assert_eq!(String::from_utf8(single).unwrap(), ServerFrame::Notification(delivery.clone()).to_json());
            let mut batch = Vec::new();
            encode_batch(&mut batch, [(&notification, sequence, replayed)]);
            let items = vec![delivery];
            prop_assert_eq!(String::from_utf8(batch).unwrap(), ServerFrame::Notifications { items }.to_json());
            let mut longest = Vec::new();
            encode_single(&mut longest, &notification, sequence, false);
            prop_assert_eq!(item_len(&notification), longest.len());
        }
    }
}
