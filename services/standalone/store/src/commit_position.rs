//! The number every commit carries, by which a store knows what it should hold
//! (docs/adr/0008-storage-under-fire.md).
//!
//! Each batch written to the engine, whatever is in it, has the next number. With the number it says how far
//! each [space](Keyspace) was written before it; and each space it writes to gets the number under a key of its
//! own, so that what came to a space's table files says how far they go.

use super::codec::{Corrupted, Reader, Seq};

/// What is written to from outside the committer or by it, each a keyspace of the engine.
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

    /// The keyspace's name.
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
/// How many a store had before there were arrivals; it gets these when it is opened.
pub(super) const KEYSPACES_BEFORE_PENDING_RECORDS: usize = 4;

/// The keyspace of the records.
pub(super) const META: &str = "meta";
/// Where the last commit's record stands in it.
pub(super) const RECORD_KEY: &[u8] = b"head";
/// Where the number of the last commit that wrote to a space stands in that space. No row's key is as short.
pub(super) const NUMBER_KEY: &[u8] = &[0];

/// By space, the number of the last commit that wrote to it.
pub(super) type Reach = [u64; KEYSPACES];

/// Reads how far the first `spaces` were written; nothing was written to the others.
pub(super) fn read_reach(reader: &mut Reader<'_>, keyspaces: usize) -> Result<Reach, Corrupted> {
    let mut reach = [0; KEYSPACES];
    for number in reach.iter_mut().take(keyspaces) {
        *number = reader.number()?;
    }
    Ok(reach)
}

const FORMAT: u8 = 3;
const FORMAT_BEFORE_PENDING_RECORDS: u8 = 2;

/// How far the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CommitPosition {
    /// The number of the last commit.
    pub(super) commit: u64,
    /// The next sequence.
    pub(super) next: Seq,
    /// The number of the last commit known to be durable.
    pub(super) synced: u64,
    pub(super) reach: Reach,
}

impl CommitPosition {
    /// Of a store nothing was written to.
    pub(super) const EMPTY: Self = Self { commit: 0, next: 1, synced: 0, reach: [0; KEYSPACES] };

    /// The next sequence after a commit that gives rows to so many notifications that were accepted before. It takes
    /// as many sequences: whoever misses the commit knows by them how many notifications are missing with it.
    pub(super) const fn next_after_rows(&self, count: usize) -> Seq {
        self.next + count as Seq
    }
}

/// What a commit says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CommitRecord {
    pub(super) commit: u64,
    /// The next sequence before the commit, and after it.
    pub(super) first: Seq,
    pub(super) next: Seq,
    /// The last commit known to be durable when this one was made.
    pub(super) synced: u64,
    /// The engine's own number of the batch is this or a little more: the engine does not protect it.
    pub(super) base: u64,
    /// Which spaces the commit writes to, one bit each.
    pub(super) keyspaces: u8,
    /// How far the spaces were written before.
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
    fn a_record_comes_back_and_says_how_far_the_spaces_are() {
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
