//! Records on disk: rows, dead letters, the ids accepted lately, commits and journals. What is written is read
//! back, and no bytes do harm.

#![no_main]

use arbitrary::Arbitrary;
use contract_notifications_v1::{Sequence, Timestamp, UserId};
use fuzz::{AnyNotification, chain, require_bounded};
use libfuzzer_sys::fuzz_target;
use tidings_store::probe;

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    Row { notification: AnyNotification, seqs: [u64; 2], cut: u16 },
    Dead { at: u64, reason: String, notification: AnyNotification, row: Option<&'a [u8]> },
    Dedup { at: u64, commit: u64, ids: Vec<(AnyNotification, u64)> },
    Record { numbers: [u64; 5], spaces: u8, before: probe::Before },
    Journal { meta: u8, bytes: &'a [u8] },
    Bytes { format: bool, key: &'a [u8], value: &'a [u8] },
}

fuzz_target!(|input: Input<'_>| match input {
    Input::Row { notification, seqs, cut } => row(&notification, seqs, cut.into()),
    Input::Dead { at, reason, notification, row } => dead(at, &reason, &notification, row),
    Input::Dedup { at, commit, ids } => dedup(at, commit, &ids),
    Input::Record { numbers, spaces, before } => {
        let value = probe::encode_record(numbers, spaces, before);
        let record = probe::decode_record(&value).expect("what is written can be read");
        assert_eq!(record, (numbers, spaces, before));
        for len in 0..value.len() {
            assert!(probe::decode_record(&value[..len]).is_err(), "a torn record is none");
        }
    }
    Input::Journal { meta, bytes } => journal(meta.into(), bytes),
    Input::Bytes { format, key, value } => bytes(format, key, value),
});

fn row(notification: &AnyNotification, seqs: [u64; 2], cut: usize) {
    let notification = notification.build();
    let user = &notification.user_id;
    let value = probe::encode_row(&notification);
    assert_eq!(probe::decode_row(user, &value).expect("what is written can be read"), notification);
    // A torn row is none, or one whose payload has become another one (as 12 of 123).
    let cut = cut % value.len();
    if let Ok(torn) = probe::decode_row(user, &value[..cut]) {
        assert_eq!(torn.id, notification.id);
        assert!(notification.payload.get().starts_with(torn.payload.get()));
    }
    let keys = seqs.map(|seq| probe::row_key(user, seq));
    assert_eq!(keys[0].cmp(&keys[1]), seqs[0].cmp(&seqs[1]), "keys stand in order");
    assert_eq!(probe::key_seq(&keys[0]), Some(seqs[0]));
    let rest = keys[0].strip_prefix(user.as_str().as_bytes()).expect("the user comes first");
    assert_eq!((rest.len(), rest[0]), (9, 0), "no user's keys are among another's");
}

fn dead(at: u64, reason: &str, notification: &AnyNotification, row: Option<&[u8]>) {
    let notification = notification.build();
    let sound = probe::encode_row(&notification);
    let value =
        probe::encode_dead(Timestamp::from_millis(at), reason, &notification.user_id, row.unwrap_or(&sound));
    let letter = probe::decode_dead(7, &value).expect("what is written can be read");
    assert_eq!((letter.id, letter.at), (Sequence::new(7), Timestamp::from_millis(at)));
    assert_eq!((letter.reason.as_str(), &letter.user_id), (reason, &notification.user_id));
    match (row, letter.notification) {
        (None, found) => assert_eq!(found, Some(notification)),
        (Some(row), None) => assert_eq!(letter.body, row, "what can't be read is kept as it is"),
        (Some(_), Some(found)) => assert_eq!(found.user_id, notification.user_id),
    }
}

fn dedup(at: u64, commit: u64, ids: &[(AnyNotification, u64)]) {
    let ids: Vec<_> = ids.iter().map(|(notification, seq)| (notification.build(), *seq)).collect();
    let (key, value) = probe::encode_dedup(Timestamp::from_millis(at), commit, &ids);
    assert_eq!(probe::recode_dedup(&key, &value), Some((key, value.clone())));
    for (notification, _) in &ids {
        // Of an id that is there twice the last counts.
        let same = |(other, _): &&(_, u64)| same_id(other, notification);
        let expected = ids.iter().rev().find(same).map(|(_, seq)| Sequence::new((*seq).into()));
        assert_eq!(probe::find_dedup(&key, &value, notification), expected);
    }
}

fn same_id(a: &contract_notifications_v1::Notification, b: &contract_notifications_v1::Notification) -> bool {
    (&a.user_id, &a.id) == (&b.user_id, &b.id)
}

/// The pieces of a journal follow each other, up to its end or to zeroes.
fn journal(meta: u64, bytes: &[u8]) {
    let mut to = 0;
    for (range, _) in probe::journal_pieces(bytes, meta) {
        assert!(range.start == to && range.end > to && range.end <= bytes.len(), "{range:?} after {to}");
        to = range.end;
    }
    assert!(bytes[to..].iter().all(|byte| *byte == 0), "something after {to} is left out");
}

fn bytes(format: bool, key: &[u8], value: &[u8]) {
    // Half of the time past the first check.
    let value = if format { [&[1], value].concat() } else { value.to_vec() };
    let user = UserId::new("u").expect("it is legal");
    match probe::decode_row(&user, &value) {
        Ok(notification) => {
            let again = probe::decode_row(&user, &probe::encode_row(&notification));
            assert_eq!(again.expect("what is written can be read"), notification);
        }
        Err(error) => require_bounded(&chain(&error)),
    }
    if let Err(error) = probe::decode_dead(7, &value) {
        require_bounded(&chain(&error));
    }
    let whole = value.len() - value.len() % 24;
    let recoded = key.first_chunk().map(|key| (*key, value[..whole].to_vec()));
    assert_eq!(probe::recode_dedup(key, &value), recoded, "a torn record has the ids that are whole");
    if let Err(error) = probe::decode_record(&value) {
        require_bounded(&chain(&error));
    }
    let _ = probe::key_seq(key);
}
