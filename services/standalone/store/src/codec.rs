//! The format of rows on disk.
//!
//! A row's key is the user, a zero byte and the sequence, big-endian. User ids have no zero byte, so the rows
//! of a user are adjacent and in order. The value is a format byte, flags, and the notification's fields
//! except for the user.

use contract_notifications_v1::{
    InvalidIdentifier, Notification, NotificationId, Payload, Sequence, Timestamp, UserId, WhenOffline,
};

/// A sequence as this store keeps it. It assigns none of more than 64 bits.
pub(super) type Seq = u64;

/// The highest sequence of a row that a caller may put into a mailbox. The store's own sequences continue
/// above the highest such row, so at least half of the range is left to them.
pub(super) const MAX_FOREIGN_SEQ: Seq = u64::MAX >> 1;

const FORMAT: u8 = 1;
const DROP: u8 = 1;
const EXPIRES: u8 = 1 << 1;
const KIND: u8 = 1 << 2;
const SOURCE: u8 = 1 << 3;

/// Converts a sequence to this store's number. A sequence of more than 64 bits becomes the highest number.
pub(super) fn seq(sequence: Sequence) -> Seq {
    Seq::try_from(sequence.number()).unwrap_or(Seq::MAX)
}

/// Converts this store's number to a sequence.
pub(super) fn sequence(seq: Seq) -> Sequence {
    Sequence::new(seq.into())
}

/// Returns the key of a row.
pub(super) fn row_key(user: &UserId, seq: Seq) -> Vec<u8> {
    let mut key = Vec::with_capacity(user.as_str().len() + 9);
    row_key_into(&mut key, user, seq);
    key
}

/// Writes the key of a row to `key`.
pub(super) fn row_key_into(key: &mut Vec<u8>, user: &UserId, seq: Seq) {
    key.clear();
    key.extend_from_slice(user.as_str().as_bytes());
    key.push(0);
    key.extend_from_slice(&seq.to_be_bytes());
}

/// Returns the sequence in a row's key: its last eight bytes. `None` if the key is shorter.
pub(super) fn key_seq(key: &[u8]) -> Option<Seq> {
    key.last_chunk().map(|bytes| Seq::from_be_bytes(*bytes))
}

/// Reasons why a stored value can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Corrupted {
    #[error("the stored value has format {0}, which is unknown")]
    Format(u8),
    #[error("the stored value is too short")]
    Short,
    #[error("the stored value has a text that is not UTF-8")]
    Text(#[from] std::str::Utf8Error),
    #[error("the stored value has an illegal id")]
    Id(#[from] InvalidIdentifier),
    #[error("the stored payload is not JSON")]
    Payload(#[source] serde_json::Error),
}

/// Encodes a notification as the value of its row.
pub(super) fn encode(notification: &Notification) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_into(&mut bytes, notification);
    bytes
}

/// Encodes a notification as the value of its row, into `bytes`.
pub(super) fn encode_into(bytes: &mut Vec<u8>, notification: &Notification) {
    let Notification { id, user_id: _, payload, sent_at, expires_at, when_offline, kind, source } =
        notification;
    let labels = kind.as_deref().map_or(0, str::len) + source.as_deref().map_or(0, str::len);
    bytes.clear();
    bytes.reserve(27 + id.as_str().len() + labels + payload.get().len());
    let flag = |on: bool, flag: u8| if on { flag } else { 0 };
    let flags = flag(*when_offline == WhenOffline::Drop, DROP)
        | flag(expires_at.is_some(), EXPIRES)
        | flag(kind.is_some(), KIND)
        | flag(source.is_some(), SOURCE);
    bytes.extend_from_slice(&[FORMAT, flags]);
    bytes.extend_from_slice(&sent_at.millis().to_be_bytes());
    if let Some(at) = expires_at {
        bytes.extend_from_slice(&at.millis().to_be_bytes());
    }
    put_text(bytes, id.as_str());
    for label in [kind, source].into_iter().flatten() {
        put_text(bytes, label);
    }
    bytes.extend_from_slice(payload.get().as_bytes());
}

/// Appends the length of a text in two bytes, and the text. A text of more than 65,535 bytes becomes empty;
/// no contract allows one.
pub(super) fn put_text(bytes: &mut Vec<u8>, text: &str) {
    let len = u16::try_from(text.len()).unwrap_or(0);
    bytes.extend_from_slice(&len.to_be_bytes());
    bytes.extend_from_slice(&text.as_bytes()[..len.into()]);
}

/// Decodes the value of a row of `user`.
pub(super) fn decode(user: &UserId, bytes: &[u8]) -> Result<Notification, Corrupted> {
    let mut reader = Reader(bytes);
    match reader.byte()? {
        FORMAT => {}
        other => return Err(Corrupted::Format(other)),
    }
    let flags = reader.byte()?;
    let sent_at = Timestamp::from_millis(reader.number()?);
    let expires_at = match flags & EXPIRES {
        0 => None,
        _ => Some(Timestamp::from_millis(reader.number()?)),
    };
    let id = NotificationId::new(reader.text()?)?;
    let mut label = |flag: u8| -> Result<Option<Box<str>>, Corrupted> {
        if flags & flag == 0 { Ok(None) } else { Ok(Some(reader.text()?.into())) }
    };
    let (kind, source) = (label(KIND)?, label(SOURCE)?);
    let payload = Payload::from_json(std::str::from_utf8(reader.0)?).map_err(Corrupted::Payload)?;
    let when_offline = if flags & DROP == 0 { WhenOffline::Hold } else { WhenOffline::Drop };
    Ok(Notification { id, user_id: user.clone(), payload, sent_at, expires_at, when_offline, kind, source })
}

/// Reads fields from the front of a value.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn byte(&mut self) -> Result<u8, Corrupted> {
        let (first, rest) = self.0.split_first().ok_or(Corrupted::Short)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn number(&mut self) -> Result<u64, Corrupted> {
        let (first, rest) = self.0.split_first_chunk().ok_or(Corrupted::Short)?;
        self.0 = rest;
        Ok(u64::from_be_bytes(*first))
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Corrupted> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Corrupted::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Corrupted> {
        let (len, rest) = self.0.split_first_chunk().ok_or(Corrupted::Short)?;
        self.0 = rest;
        let text = self.take(u16::from_be_bytes(*len).into())?;
        Ok(std::str::from_utf8(text)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn row_round_trips(
            user in "[!-~]{3,128}",
            id in "[!-~]{3,128}",
            payload in ".{0,300}",
            sent_at: u64,
            expires_at: Option<u64>,
            drop: bool,
            kind in prop::option::of(".{0,80}"),
            source in prop::option::of(".{0,80}"),
            number: u64,
        ) {
            let notification = Notification {
                id: NotificationId::new(id).unwrap(),
                user_id: UserId::new(user).unwrap(),
                payload: Payload::from_value(&payload).unwrap(),
                sent_at: Timestamp::from_millis(sent_at),
                expires_at: expires_at.map(Timestamp::from_millis),
                when_offline: if drop { WhenOffline::Drop } else { WhenOffline::Hold },
                kind: kind.map(Into::into),
                source: source.map(Into::into),
            };
            let bytes = encode(&notification);
            prop_assert_eq!(&decode(&notification.user_id, &bytes).unwrap(), &notification);
            prop_assert_eq!(key_seq(&row_key(&notification.user_id, number)), Some(number));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, tail: Vec<u8>) {
            let user = UserId::new("u").unwrap();
            _ = decode(&user, &bytes);
            _ = decode(&user, &[&[FORMAT], tail.as_slice()].concat());
        }

        #[test]
        fn keys_stand_in_order(a: u64, b: u64) {
            let user = UserId::new("u").unwrap();
            prop_assert_eq!(row_key(&user, a).cmp(&row_key(&user, b)), a.cmp(&b));
        }
    }
}
