//! Records on disk: rows, dead letters, recently accepted ids, commits and journals.

use arbitrary::Arbitrary;
use contract_notifications_v1::{Sequence, Timestamp, UserId};
use shared_telemetry::chain;
use tidings_store::fuzz_api;

use crate::any_notification::AnyNotification;
use crate::input::{Verdict, decode};
use crate::text::require_bounded;

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    Row { notification: AnyNotification, seqs: [u64; 2], cut: u16 },
    Dead { at: u64, reason: String, notification: AnyNotification, row: Option<&'a [u8]> },
    Dedup { at: u64, commit: u64, ids: Vec<(AnyNotification, u64)> },
    Record { numbers: [u64; 5], spaces: u8, before: fuzz_api::Before },
    Journal { meta: u8, bytes: &'a [u8] },
    Bytes { format: bool, key: &'a [u8], value: &'a [u8] },
}

/// Writes records and reads them again, and reads torn and arbitrary bytes: a torn record is refused or
/// whole.
pub fn stored(bytes: &[u8]) -> Verdict {
    decode(bytes, check)
}

fn check(input: Input<'_>) {
    match input {
        Input::Row { notification, seqs, cut } => check_row(&notification, seqs, cut.into()),
        Input::Dead { at, reason, notification, row } => check_dead_letter(at, &reason, &notification, row),
        Input::Dedup { at, commit, ids } => check_dedup(at, commit, &ids),
        Input::Record { numbers, spaces, before } => {
            let value = fuzz_api::encode_record(numbers, spaces, before);
            let record = fuzz_api::decode_record(&value).expect("a written record can be read");
            assert_eq!(record, (numbers, spaces, before));
            for len in 0..value.len() {
                assert!(fuzz_api::decode_record(&value[..len]).is_err(), "a torn record is refused");
            }
        }
        Input::Journal { meta, bytes } => check_journal(meta.into(), bytes),
        Input::Bytes { format, key, value } => check_bytes(format, key, value),
    }
}

fn check_row(notification: &AnyNotification, seqs: [u64; 2], cut: usize) {
    let notification = notification.build();
    let user = &notification.user_id;
    let value = fuzz_api::encode_row(&notification);
    assert_eq!(fuzz_api::decode_row(user, &value).expect("a written record can be read"), notification);
    // A torn row is refused, or its payload is cut to another valid one (such as 12 of 123).
    let cut = cut % value.len();
    if let Ok(torn) = fuzz_api::decode_row(user, &value[..cut]) {
        assert_eq!(torn.id, notification.id);
        assert!(notification.payload.get().starts_with(torn.payload.get()));
    }
    let keys = seqs.map(|seq| fuzz_api::row_key(user, seq));
    assert_eq!(keys[0].cmp(&keys[1]), seqs[0].cmp(&seqs[1]), "keys are in the order of sequences");
    assert_eq!(fuzz_api::key_seq(&keys[0]), Some(seqs[0]));
    let rest = keys[0].strip_prefix(user.as_str().as_bytes()).expect("the user comes first");
    assert_eq!((rest.len(), rest[0]), (9, 0), "keys of different users don't mix");
}

fn check_dead_letter(at: u64, reason: &str, notification: &AnyNotification, row: Option<&[u8]>) {
    let notification = notification.build();
    let intact = fuzz_api::encode_row(&notification);
    let value = fuzz_api::encode_dead(
        Timestamp::from_millis(at),
        reason,
        &notification.user_id,
        row.unwrap_or(&intact),
    );
    let letter = fuzz_api::decode_dead(7, &value).expect("a written record can be read");
    assert_eq!((letter.id, letter.at), (Sequence::new(7), Timestamp::from_millis(at)));
    assert_eq!((letter.reason.as_str(), &letter.user_id), (reason, &notification.user_id));
    match (row, letter.notification) {
        (None, found) => assert_eq!(found, Some(notification)),
        (Some(row), None) => assert_eq!(letter.body, row, "an unreadable row is kept as it is"),
        (Some(_), Some(found)) => assert_eq!(found.user_id, notification.user_id),
    }
}

fn check_dedup(at: u64, commit: u64, ids: &[(AnyNotification, u64)]) {
    let ids: Vec<_> = ids.iter().map(|(notification, seq)| (notification.build(), *seq)).collect();
    let (key, value) = fuzz_api::encode_dedup(Timestamp::from_millis(at), commit, &ids);
    assert_eq!(fuzz_api::recode_dedup(&key, &value), Some((key, value.clone())));
    for (notification, _) in &ids {
        // The last entry of an id counts.
        let same = |(other, _): &&(_, u64)| same_id(other, notification);
        let expected = ids.iter().rev().find(same).map(|(_, seq)| Sequence::new((*seq).into()));
        assert_eq!(fuzz_api::find_dedup(&key, &value, notification), expected);
    }
}

fn same_id(a: &contract_notifications_v1::Notification, b: &contract_notifications_v1::Notification) -> bool {
    (&a.user_id, &a.id) == (&b.user_id, &b.id)
}

/// The pieces of a journal are contiguous, up to its end or to trailing zeroes.
fn check_journal(meta: u64, bytes: &[u8]) {
    let mut to = 0;
    for (range, _) in fuzz_api::journal_pieces(bytes, meta) {
        assert!(range.start == to && range.end > to && range.end <= bytes.len(), "{range:?} after {to}");
        to = range.end;
    }
    assert!(bytes[to..].iter().all(|byte| *byte == 0), "bytes after {to} are left out");
}

fn check_bytes(format: bool, key: &[u8], value: &[u8]) {
    // Half of the inputs have the format byte that the first check expects.
    let value = if format { [&[1], value].concat() } else { value.to_vec() };
    let user = UserId::new("u").expect("the id is valid");
    match fuzz_api::decode_row(&user, &value) {
        Ok(notification) => {
            let again = fuzz_api::decode_row(&user, &fuzz_api::encode_row(&notification));
            assert_eq!(again.expect("a written record can be read"), notification);
        }
        Err(error) => require_bounded(&chain(&error)),
    }
    if let Err(error) = fuzz_api::decode_dead(7, &value) {
        require_bounded(&chain(&error));
    }
    let whole = value.len() - value.len() % 24;
    let recoded = key.first_chunk().map(|key| (*key, value[..whole].to_vec()));
    assert_eq!(fuzz_api::recode_dedup(key, &value), recoded, "a torn record keeps its whole ids");
    if let Err(error) = fuzz_api::decode_record(&value) {
        require_bounded(&chain(&error));
    }
    let _ = fuzz_api::key_seq(key);
}
