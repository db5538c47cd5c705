//! How rows and the index of their times are stored.
//!
//! A row is under `r`, the user, a zero byte and the entry; the index under `x`, the second from which on the
//! row is too old, the user, a zero byte and the entry. User ids have no zero byte.
use contract_notifications_v1::{Timestamp, UserId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidings_store::TableRow;

const ROW: u8 = b'r';
const INDEX: u8 = b'x';
/// Bytes of an index key before the user.
const INDEX_HEAD: usize = 9;

/// The key of a row, or of all whose entries begin with `entry`.
pub(super) fn row_key(user: &UserId, entry: &str) -> Vec<u8> {
    [&[ROW], user.as_str().as_bytes(), &[0], entry.as_bytes()].concat()
}

/// The first key after all that begin with `prefix`.
pub(super) fn after(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    // A prefix ends with a character of an entry, which is no 0xff.
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

/// Where the index of a row is, by the row's key.
pub(super) fn index_key(row_key: &[u8], ttl: u64) -> Vec<u8> {
    [&[INDEX], &ttl.to_be_bytes()[..], row_key.get(1..).unwrap_or_default()].concat()
}

/// The part of the index of all rows that are too old at `now`: from the first key on, before the second.
pub(super) fn too_old(now: Timestamp) -> (Vec<u8>, Vec<u8>) {
    let after = now.millis() / 1000 + 1;
    (vec![INDEX], [&[INDEX], &after.to_be_bytes()[..]].concat())
}

/// The row that a key of the index stands for.
pub(super) fn indexed(index_key: &[u8]) -> Vec<u8> {
    [&[ROW], index_key.get(INDEX_HEAD..).unwrap_or_default()].concat()
}

/// The stored form of a row: JSON. `None` when it has none, which no row of the contract lacks.
pub(super) fn encode(row: &impl Serialize) -> Option<Vec<u8>> {
    serde_json::to_vec(row).ok()
}

/// Reads a row; what can't be read is logged.
pub(super) fn decode<Row: DeserializeOwned>(value: &[u8]) -> Option<Row> {
    match serde_json::from_slice(value) {
        Ok(row) => Some(row),
        Err(error) => {
            let error = shared_telemetry::chain(&error);
            tracing::error!(error, "a row of the history can't be read");
            None
        }
    }
}

/// The rows among those found that are not too old at `now`, and whether all are of which that is known.
pub(super) fn live<Row: DeserializeOwned>(
    found: Vec<TableRow>,
    now: Timestamp,
    ttl: impl Fn(&Row) -> u64,
) -> (Vec<Row>, bool) {
    let read: Vec<Row> = found.into_iter().filter_map(|(_, value)| decode(&value)).collect();
    let count = read.len();
    let live: Vec<Row> = read.into_iter().filter(|row| ttl(row) > now.millis() / 1000).collect();
    let all = live.len() == count;
    (live, all)
}
