//! The keys and values of rows and of the index of their times.
//!
//! The key of a row is `r`, the user, a zero byte and the entry. The key of its index is `x`, the second of expiry
//! (big-endian), the user, a zero byte and the entry. User ids have no zero byte.

use contract_notifications_v1::{Timestamp, UserId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidings_store::TableRow;

const ROW: u8 = b'r';
const INDEX: u8 = b'x';
/// Length of an index key before the user.
const INDEX_HEAD: usize = 9;

/// Returns the key of a row, or the prefix of the keys of all rows whose entries begin with `entry`.
pub(super) fn row_key(user: &UserId, entry: &str) -> Vec<u8> {
    [&[ROW], user.as_str().as_bytes(), &[0], entry.as_bytes()].concat()
}

/// Returns the first key after all keys that begin with `prefix`.
pub(super) fn after(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    // A prefix ends with a character of an entry, which is never 0xff.
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

/// Returns the key of a row's index.
pub(super) fn index_key(row_key: &[u8], ttl: u64) -> Vec<u8> {
    [&[INDEX], &ttl.to_be_bytes()[..], row_key.get(1..).unwrap_or_default()].concat()
}

/// Returns the range of the index with all rows that have expired at `now`: from the first key on, before the second.
pub(super) fn expired(now: Timestamp) -> (Vec<u8>, Vec<u8>) {
    let after = now.millis() / 1000 + 1;
    (vec![INDEX], [&[INDEX], &after.to_be_bytes()[..]].concat())
}

/// Returns the key of the row of an index key.
pub(super) fn indexed(index_key: &[u8]) -> Vec<u8> {
    [&[ROW], index_key.get(INDEX_HEAD..).unwrap_or_default()].concat()
}

/// Encodes a row as JSON. Rows of the contract always encode.
pub(super) fn encode(row: &impl Serialize) -> Option<Vec<u8>> {
    serde_json::to_vec(row).ok()
}

/// Decodes a row. Logs a row that can't be decoded and returns `None`.
pub(super) fn decode<Row: DeserializeOwned>(value: &[u8]) -> Option<Row> {
    match serde_json::from_slice(value) {
        Ok(row) => Some(row),
        Err(error) => {
            let error = shared_telemetry::chain(&error);
            tracing::error!(error, "a row of the history can't be decoded");
            None
        }
    }
}

/// Decodes rows and drops those that have expired at `now`. The flag is true if none of the decoded rows was dropped.
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
