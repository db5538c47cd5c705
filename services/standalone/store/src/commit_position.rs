//! Numbers of commits. They show, when a store is opened, if a durable commit is missing
//! (docs/adr/0008-storage-under-fire.md).
//!
//! Every commit has the next number and a [record](CommitRecord) of itself. The record says which commit last
//! wrote to each [keyspace](Keyspace) before it. Each keyspace that the commit writes to gets the number
//! under a key of its own, so that the keyspace's table files say which commits they contain.

use super::codec::{Corrupted, Reader, Seq};

/// The keyspaces of the engine that commits write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyspace {
    Rows,
    Dedup,
    DeadLetters,
    Tables,
    PendingRecords,
}

impl Keyspace {
    pub(super) const ALL: [Self; KEYSPACES] =
        [Self::Rows, Self::Dedup, Self::DeadLetters, Self::Tables, Self::PendingRecords];

    /// The keyspace's name on disk.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rows => "notifications",
            Self::Dedup => "dedup",
            Self::DeadLetters => "dead-letters",
            Self::Tables => "tables",
            Self::PendingRecords => "arrivals",
        }
    }
}

pub(super) const KEYSPACES: usize = 5;
/// Keyspaces of a store made before pending records existed. Opening it creates the missing one.
pub(super) const KEYSPACES_BEFORE_PENDING_RECORDS: usize = 4;

/// The keyspace of the commit records.
pub(super) const META: &str = "meta";
/// Key of the last commit's record in [`META`].
pub(super) const RECORD_KEY: &[u8] = b"head";
/// Key, in each keyspace, of the last commit that wrote to it. No row has so short a key.
pub(super) const NUMBER_KEY: &[u8] = &[0];

/// For each keyspace, the number of the last commit that wrote to it.
pub(super) type Reach = [u64; KEYSPACES];

/// Reads the numbers of the first `keyspaces`; those of the others are zero.
pub(super) fn read_reach(reader: &mut Reader<'_>, keyspaces: usize) -> Result<Reach, Corrupted> {
    let mut reach = [0; KEYSPACES];
    for number in reach.iter_mut().take(keyspaces) {
        *number = reader.number()?;
    }
    Ok(reach)
}

const FORMAT: u8 = 3;
const FORMAT_BEFORE_PENDING_RECORDS: u8 = 2;

/// The state of a store after its last commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CommitPosition {
    /// The number of the last commit.
    pub(super) commit: u64,
    /// The next sequence to assign.
    pub(super) next: Seq,
    /// The number of the last commit known to be durable.
    pub(super) synced: u64,
    pub(super) reach: Reach,
}

impl CommitPosition {
    /// The position of an empty store.
    pub(super) const EMPTY: Self = Self { commit: 0, next: 1, synced: 0, reach: [0; KEYSPACES] };

    /// The next sequence after a commit that creates rows for `count` pending notifications. The commit takes
    /// as many sequences, so that a store that loses the commit knows how many notifications are missing.
    pub(super) const fn next_after_rows(&self, count: usize) -> Seq {
        self.next + count as Seq
    }
}

/// The record that a commit writes about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CommitRecord {
    pub(super) commit: u64,
    /// The next sequence before the commit and after it.
    pub(super) first: Seq,
    pub(super) next: Seq,
    /// The last commit known to be durable when this one was written.
    pub(super) synced: u64,
    /// Lower bound of the engine's own number of the batch (its `seqno`), which is less than 2^20 above it.
    /// The engine's checksum does not cover that number, so the integrity check compares it with this one.
    pub(super) base: u64,
    /// The keyspaces that the commit writes to, one bit each.
    pub(super) keyspaces: u8,
    /// The last commit of each keyspace before this one.
    pub(super) before: Reach,
}

impl CommitRecord {
    pub(super) fn reach(&self) -> Reach {
        let mut reach = self.before;
        for (at, number) in reach.iter_mut().enumerate() {
            if self.keyspaces & 1 << at != 0 {
                *number = self.commit;
            }
        }
        reach
    }

    pub(super) fn position(&self) -> CommitPosition {
        CommitPosition { commit: self.commit, next: self.next, synced: self.synced, reach: self.reach() }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(2 + 8 * (5 + KEYSPACES));
        bytes.extend_from_slice(&[FORMAT, self.keyspaces]);
        let numbers = [self.commit, self.first, self.next, self.synced, self.base];
        for number in numbers.into_iter().chain(self.before) {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Corrupted> {
        let mut reader = Reader(bytes);
        let known = match reader.byte()? {
            FORMAT => KEYSPACES,
            FORMAT_BEFORE_PENDING_RECORDS => KEYSPACES_BEFORE_PENDING_RECORDS,
            other => return Err(Corrupted::Format(other)),
        };
        let keyspaces = reader.byte()?;
        let (commit, first, next) = (reader.number()?, reader.number()?, reader.number()?);
        let (synced, base) = (reader.number()?, reader.number()?);
        let before = read_reach(&mut reader, known)?;
        Ok(Self { commit, first, next, synced, base, keyspaces, before })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commit_record_round_trips_with_keyspaces() {
        let record = CommitRecord {
            commit: 9,
            first: 100,
            next: 104,
            synced: 7,
            base: 55,
            keyspaces: 0b101,
            before: [8, 7, 6, 5, 4],
        };
        assert_eq!(CommitRecord::decode(&record.encode()).unwrap(), record);
        assert_eq!(record.reach(), [9, 7, 9, 5, 4]);
        assert!(matches!(CommitRecord::decode(&[1, 0]), Err(Corrupted::Format(1))));
        assert!(matches!(CommitRecord::decode(&record.encode()[..40]), Err(Corrupted::Short)));
    }
}
