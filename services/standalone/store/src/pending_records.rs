//! Pending records: the notifications of one commit that are about to be delivered, written as one record.
//!
//! A row is inserted at acceptance and removed at delivery, and the engine searches a place among all rows
//! each time. A connected user gets a notification within milliseconds, so such notifications go to disk as
//! one record for each commit instead. The record is removed when the last of them is completed; until then a
//! note beside it, written with later commits, says which are. A notification that has to be held gets a row
//! when it is put into the mailbox. When a store is opened, the rest of all records becomes rows, so that no
//! other code reads records (docs/adr/0014-arrivals-in-one-record.md).

use std::collections::BTreeMap;

use contract_notifications_v1::UserId;
use fjall::Slice;

use super::codec::{Corrupted, Reader, Seq, put_text, row_key};
use super::commit_position::Keyspace;
use super::engine::{Batch, Engine};

const FORMAT: u8 = 1;
/// Bytes from which on a record takes no more. A record is read back as a whole.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// The location of a pending notification: the commit of its record, and its index there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct RecordLocation {
    pub(super) commit: u64,
    pub(super) index: u32,
}

/// A record that is being filled.
#[derive(Debug, Default)]
pub(super) struct PendingRecord {
    bytes: Vec<u8>,
    count: u32,
}

impl PendingRecord {
    /// Adds a notification, encoded as a row's value, and returns its index, or `None` if the record is full.
    pub(super) fn push(&mut self, user: &UserId, seq: Seq, value: &[u8]) -> Option<u32> {
        if self.bytes.len() >= MOST_BYTES {
            return None;
        }
        if self.count == 0 {
            self.bytes.push(FORMAT);
        }
        put_text(&mut self.bytes, user.as_str());
        self.bytes.extend_from_slice(&seq.to_be_bytes());
        self.bytes.extend_from_slice(&(value.len() as u64).to_be_bytes());
        self.bytes.extend_from_slice(value);
        let index = self.count;
        self.count += 1;
        Some(index)
    }

    /// Adds the record to the batch, unless it is empty.
    pub(super) fn write(&self, batch: &mut Batch, commit: u64) {
        if self.count > 0 {
            batch.insert(Keyspace::PendingRecords, key(commit), self.bytes.as_slice());
        }
    }
}

/// Returns the key of a commit's record. The key of its note follows it.
fn key(commit: u64) -> [u8; 8] {
    commit.to_be_bytes()
}

fn note_key(commit: u64) -> [u8; 9] {
    let mut note = [0; 9];
    note[..8].copy_from_slice(&key(commit));
    note
}

/// A notification in a pending record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PendingNotification {
    pub(super) location: RecordLocation,
    pub(super) user: UserId,
    pub(super) seq: Seq,
    /// The value of its row.
    pub(super) value: Slice,
}

impl PendingNotification {
    /// Adds its row to the batch.
    pub(super) fn write_row(self, batch: &mut Batch) {
        batch.insert(Keyspace::Rows, row_key(&self.user, self.seq), self.value);
    }
}

/// Parses a record.
fn read(commit: u64, record: &[u8]) -> Result<Vec<PendingNotification>, Corrupted> {
    let mut reader = Reader(record);
    match reader.byte()? {
        FORMAT => {}
        other => return Err(Corrupted::Format(other)),
    }
    let mut pending_records = Vec::new();
    for index in 0.. {
        if reader.0.is_empty() {
            break;
        }
        let user = UserId::new(reader.text()?)?;
        let seq = reader.number()?;
        let len = usize::try_from(reader.number()?).map_err(|_| Corrupted::Short)?;
        let value = Slice::new(reader.take(len)?);
        pending_records.push(PendingNotification {
            location: RecordLocation { commit, index },
            user,
            seq,
            value,
        });
    }
    Ok(pending_records)
}

/// Returns the commits that have records or notes. The key of the keyspace's number is shorter.
pub(super) fn commits(engine: &Engine) -> fjall::Result<Vec<u64>> {
    let mut commits = Vec::new();
    for guard in engine.pending_records.iter() {
        let key = guard.key()?;
        if let Some(commit) = key.first_chunk() {
            commits.push(u64::from_be_bytes(*commit));
        }
    }
    commits.dedup();
    Ok(commits)
}

/// Returns the notifications of a commit's record that its note does not list as completed.
pub(super) fn incomplete(
    engine: &Engine,
    commit: u64,
) -> fjall::Result<Result<Vec<PendingNotification>, Corrupted>> {
    let Some(record) = engine.pending_records.get(key(commit))? else { return Ok(Ok(Vec::new())) };
    let note = engine.pending_records.get(note_key(commit))?;
    let completed = Completed(note.map(|note| note.to_vec()).unwrap_or_default());
    Ok(read(commit, &record).map(|mut pending_records| {
        pending_records.retain(|pending| !completed.contains(pending.location.index));
        pending_records
    }))
}

/// Returns the keys of a commit's record and of its note.
pub(super) fn keys(commit: u64) -> [Vec<u8>; 2] {
    [key(commit).to_vec(), note_key(commit).to_vec()]
}

/// Removes a record and its note.
pub(super) fn remove(batch: &mut Batch, commit: u64) {
    for key in keys(commit) {
        batch.remove(Keyspace::PendingRecords, key);
    }
}

/// The completed notifications of a record, one bit each.
#[derive(Debug, Default)]
struct Completed(Vec<u8>);

impl Completed {
    fn contains(&self, index: u32) -> bool {
        let (at, bit) = Self::bit(index);
        self.0.get(at).is_some_and(|byte| byte & bit != 0)
    }

    /// Sets a bit. Returns true if it was not set.
    fn insert(&mut self, index: u32) -> bool {
        let (at, bit) = Self::bit(index);
        let fresh = !self.contains(index);
        self.0.resize(self.0.len().max(at + 1), 0);
        self.0[at] |= bit;
        fresh
    }

    /// Clears a bit. Returns true if it was set.
    fn remove(&mut self, index: u32) -> bool {
        let (at, bit) = Self::bit(index);
        let there = self.contains(index);
        if there {
            self.0[at] &= !bit;
        }
        there
    }

    const fn bit(index: u32) -> (usize, u8) {
        (index as usize / 8, 1 << (index % 8))
    }
}

/// A record on disk.
#[derive(Debug)]
struct Open {
    bytes: usize,
    completed: Completed,
    left: u32,
    /// True if there may be a note beside it.
    noted: bool,
}

/// This process's records on disk, with their completed notifications.
#[derive(Debug, Default)]
pub(super) struct PendingRecords {
    open: BTreeMap<u64, Open>,
    /// Bytes of all records.
    bytes: usize,
}

impl PendingRecords {
    /// Adds a record that is on disk now.
    pub(super) fn insert(&mut self, commit: u64, record: &PendingRecord) {
        if record.count > 0 {
            let (bytes, left) = (record.bytes.len(), record.count);
            self.open.insert(commit, Open { bytes, completed: Completed::default(), left, noted: false });
            self.bytes += bytes;
        }
    }

    /// Undoes [`PendingRecords::note`] for these notifications, after the batch that should have created
    /// their rows failed.
    pub(super) fn undo_completions(&mut self, locations: &[RecordLocation]) {
        for location in locations {
            if let Some(open) = self.open.get_mut(&location.commit) {
                open.left += u32::from(open.completed.remove(location.index));
            }
        }
    }

    /// Notes in the batch that notifications are completed, or get rows in the same batch. Removes each
    /// record of which no notification is left. A repeated location is ignored.
    pub(super) fn record_completions(&mut self, batch: &mut Batch, locations: &[RecordLocation]) {
        for location in locations {
            if let Some(open) = self.open.get_mut(&location.commit) {
                open.left -= u32::from(open.completed.insert(location.index));
            }
        }
        for commit in commits_of(locations) {
            let Some(open) = self.open.get_mut(&commit) else { continue };
            if open.left > 0 {
                open.noted = true;
                batch.insert(Keyspace::PendingRecords, note_key(commit), open.completed.0.as_slice());
            } else if open.noted {
                remove(batch, commit);
            } else {
                batch.remove(Keyspace::PendingRecords, key(commit));
            }
        }
    }

    /// Forgets the records that the written batch has removed.
    pub(super) fn completions_written(&mut self, locations: &[RecordLocation]) {
        for commit in commits_of(locations) {
            if self.open.get(&commit).is_some_and(|open| open.left == 0) {
                self.forget_record(commit);
            }
        }
    }

    /// Removes a record that is no longer on disk.
    pub(super) fn forget_record(&mut self, commit: u64) {
        if let Some(open) = self.open.remove(&commit) {
            self.bytes -= open.bytes;
        }
    }

    /// Returns the oldest record if all records together have more than `most` bytes: one notification that
    /// is not completed keeps the whole record of its commit.
    pub(super) fn excess(&self, most: usize) -> Option<u64> {
        self.open.keys().next().copied().filter(|_| self.bytes > most)
    }
}

/// Returns the commits of locations, each once.
fn commits_of(locations: &[RecordLocation]) -> Vec<u64> {
    let mut commits: Vec<_> = locations.iter().map(|location| location.commit).collect();
    commits.sort_unstable();
    commits.dedup();
    commits
}

#[cfg(test)]
mod tests;
