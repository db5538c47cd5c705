//! Encoders and decoders of everything on disk, for the fuzz targets (services/verification/fuzz) alone.

use std::time::Duration;

use contract_notifications_v1::{Notification, Sequence, Timestamp, UserId};
use shared_ports::Moment;

use super::commit_position::{self, CommitRecord};
use super::dead_letters::{self, DeadLetter};
use super::dedup::AcceptedIds;
use super::integrity::journal::{Piece, Pieces};
use super::settings::Origin;
use super::{codec, dedup};

/// Returns the key of a user's row.
pub fn row_key(user: &UserId, seq: u64) -> Vec<u8> {
    codec::row_key(user, seq)
}

/// Returns the sequence in a row's key.
pub fn key_seq(key: &[u8]) -> Option<u64> {
    codec::key_seq(key)
}

/// Encodes a notification as the value of its row.
pub fn encode_row(notification: &Notification) -> Vec<u8> {
    codec::encode(notification)
}

/// Decodes the value of a user's row.
///
/// # Errors
/// The reason why the value can't be decoded.
pub fn decode_row(user: &UserId, value: &[u8]) -> Result<Notification, impl std::error::Error + use<>> {
    codec::decode(user, value)
}

/// Encodes a dead letter.
pub fn encode_dead(at: Timestamp, reason: &str, user: &UserId, row: &[u8]) -> Vec<u8> {
    dead_letters::encode(at, reason, user, row)
}

/// Decodes a dead letter.
///
/// # Errors
/// The reason why the value can't be decoded.
pub fn decode_dead(seq: u64, value: &[u8]) -> Result<DeadLetter, impl std::error::Error + use<>> {
    dead_letters::read(seq, value)
}

/// The last commit that wrote to each keyspace before a commit.
pub type Before = commit_position::Reach;

/// Encodes the record of a commit. Its numbers are: the commit's own, the next sequence before and after it,
/// the last durable commit, and the engine's number.
pub fn encode_record(
    [commit, first, next, synced, base]: [u64; 5],
    keyspaces: u8,
    before: Before,
) -> Vec<u8> {
    CommitRecord { commit, first, next, synced, base, keyspaces, before }.encode()
}

/// Decodes the record of a commit.
///
/// # Errors
/// The reason why the value can't be decoded.
pub fn decode_record(value: &[u8]) -> Result<([u64; 5], u8, Before), impl std::error::Error + use<>> {
    CommitRecord::decode(value).map(|record| {
        let CommitRecord { commit, first, next, synced, base, keyspaces, before } = record;
        ([commit, first, next, synced, base], keyspaces, before)
    })
}

/// Splits a journal into pieces. Returns the range of each, and true if it is a whole batch.
///
/// # Panics
/// If a batch has an item that is longer than the journal.
pub fn journal_pieces(bytes: &[u8], meta: u64) -> Vec<(std::ops::Range<usize>, bool)> {
    let range = |piece| match piece {
        Piece::Batch(batch) => {
            assert!(batch.items().all(|item| item.key.len() <= bytes.len()));
            (batch.at..batch.end, true)
        }
        Piece::Broken { at, end } => (at..end, false),
    };
    Pieces::new(bytes, meta).map(range).collect()
}

/// Encodes the record of the ids that one commit accepted. Returns its key and its value.
pub fn encode_dedup(at: Timestamp, commit: u64, ids: &[(Notification, u64)]) -> ([u8; 16], Vec<u8>) {
    let mut accepted = AcceptedIds::new(Origin::Producer, at, Moment::default(), commit);
    let mut known = dedup::Dedup::new(std::time::Duration::MAX, usize::MAX, usize::MAX);
    for (notification, seq) in ids {
        known.insert(&mut accepted, dedup::fingerprint(notification), *seq);
    }
    (accepted.key(), accepted.value())
}

/// Decodes the record of one commit's ids and encodes it again.
pub fn recode_dedup(key: &[u8], value: &[u8]) -> Option<([u8; 16], Vec<u8>)> {
    read_ids(key, value).map(|accepted| (accepted.key(), accepted.value()))
}

/// Returns the sequence under which a record says that the notification's id was accepted.
pub fn find_dedup(key: &[u8], value: &[u8], notification: &Notification) -> Option<Sequence> {
    let mut known = dedup::Dedup::new(std::time::Duration::MAX, usize::MAX, usize::MAX);
    known.load(read_ids(key, value)?);
    known.get(&dedup::fingerprint(notification)).map(codec::sequence)
}

/// Reads a record as if it were new, whatever its time.
fn read_ids(key: &[u8], value: &[u8]) -> Option<AcceptedIds> {
    AcceptedIds::read(key, value, Timestamp::default(), Moment::default(), Duration::MAX)
}
