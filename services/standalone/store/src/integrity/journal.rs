//! Reads the engine's journals. The engine itself cuts a journal silently where it can't read on.
//!
//! The layout is that of fjall 3 (`journal/entry.rs`), with little-endian numbers. A batch is a start (a byte
//! 1, the number of items in 4 bytes, the engine's number in 8), its items (a byte 2, kind, compression,
//! keyspace in 8, lengths of key, value and stored value in 2, 4 and 4, key, value) and an end (a byte 3, the
//! xxh3 of the items in 8, four fixed bytes). Zeros may follow the last batch: files are allocated ahead.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use xxhash_rust::xxh3::xxh3_64;

use super::super::commit_position::{CommitRecord, RECORD_KEY};

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const TRAILER: &[u8] = b"FJL\x03";
const START_BYTES: usize = 13;
const ITEM_BYTES: usize = 21;
const END_BYTES: usize = 13;
/// Largest plausible id of a keyspace; a store has fewer than ten.
const MOST_KEYSPACES: u64 = 64;
/// Largest plausible distance of the engine's number of a batch from [`CommitRecord::base`]. The engine
/// counts on between batches, but by far less.
const SEQNO_SLACK: u64 = 1 << 20;

/// Reads a journal. Holes of the file, which are most of a new journal, become zeros without being read;
/// those at its end are left out.
pub(in super::super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let mut bytes = Vec::new();
    loop {
        let data = match seek(&file, SeekFrom::Data(bytes.len() as u64)) {
            Ok(data) => data,
            Err(Errno::NXIO) => return Ok(bytes),
            Err(error) => return Err(error.into()),
        };
        let hole = seek(&file, SeekFrom::Hole(data))?;
        seek(&file, SeekFrom::Start(data))?;
        bytes.resize(usize::try_from(data).map_err(io::Error::other)?, 0);
        if (&file).take(hole - data).read_to_end(&mut bytes)? == 0 {
            return Ok(bytes);
        }
    }
}

/// A change of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Item<'a> {
    pub(in super::super) keyspace: u64,
    pub(in super::super) key: &'a [u8],
    /// `None` if the key is removed.
    pub(in super::super) value: Option<&'a [u8]>,
}

/// A batch with whole items.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Batch<'a> {
    /// Offsets of its start and its end.
    pub(in super::super) at: usize,
    pub(in super::super) end: usize,
    /// The engine's number of the batch.
    pub(in super::super) seqno: u64,
    /// The commit record in it; `None` if the batch is not a commit.
    pub(in super::super) record: Option<CommitRecord>,
    /// True if the parts that the engine's checksum does not cover are valid: the engine reads the batch
    /// then.
    pub(in super::super) header: bool,
    items: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Parses the batch at `at`, if its items are whole. `meta` is the keyspace of the commit records.
    fn read(bytes: &'a [u8], at: usize, meta: u64) -> Option<Self> {
        let start = bytes.get(at..)?.strip_prefix(&[START])?;
        let (count, seqno) = (u32_at(start, 0)?, u64_at(start, 4)?);
        let first = at + START_BYTES;
        let (mut next, mut found, mut record) = (first, 0_u32, None);
        while let Some((item, len)) = item(bytes.get(next..)?) {
            if item.keyspace == meta && item.key == RECORD_KEY {
                record = item.value.and_then(|value| CommitRecord::decode(value).ok());
            }
            next += len;
            found = found.saturating_add(1);
        }
        let end = bytes.get(next..)?.strip_prefix(&[END])?;
        let items = &bytes[first..next];
        if u64_at(end, 0)? != xxh3_64(items) || end.get(8..12)? != TRAILER {
            return None;
        }
        let in_line = record
            .is_none_or(|record| (record.base..record.base.saturating_add(SEQNO_SLACK)).contains(&seqno));
        Some(Self { at, end: next + END_BYTES, seqno, record, header: found == count && in_line, items })
    }

    /// Iterates over the changes, in order.
    pub(in super::super) fn items(&self) -> impl Iterator<Item = Item<'a>> + use<'a> {
        let mut rest = self.items;
        std::iter::from_fn(move || {
            let (item, len) = item(rest)?;
            rest = &rest[len..];
            Some(item)
        })
    }
}

/// Parses the item at the beginning, and returns it with its length.
fn item(bytes: &[u8]) -> Option<(Item<'_>, usize)> {
    // Compression is off, so values are stored as they are.
    let &[ITEM, kind @ 0..=2, 0, ..] = bytes else { return None };
    let keyspace = u64_at(bytes, 3)?;
    let key_len = usize::from(u16::from_le_bytes(*bytes.get(11..)?.first_chunk()?));
    let (value_len, stored_len) = (u32_at(bytes, 13)?, u32_at(bytes, 17)?);
    if keyspace > MOST_KEYSPACES || value_len != stored_len {
        return None;
    }
    let (key, rest) = bytes.get(ITEM_BYTES..)?.split_at_checked(key_len)?;
    let value = rest.get(..usize::try_from(value_len).ok()?)?;
    let len = ITEM_BYTES + key_len + value.len();
    Some((Item { keyspace, key, value: (kind == 0).then_some(value) }, len))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// A piece of a journal.
#[derive(Debug)]
pub(in super::super) enum Piece<'a> {
    /// A whole batch.
    Batch(Batch<'a>),
    /// Unreadable bytes, up to the next whole batch or the end.
    Broken { at: usize, end: usize },
}

/// Iterates over the pieces of a journal, in order, without the zeros at its end.
pub(in super::super) struct Pieces<'a> {
    bytes: &'a [u8],
    meta: u64,
    at: usize,
    /// The number of the last commit. A batch found by searching must have a higher one.
    commit: u64,
}

impl<'a> Pieces<'a> {
    pub(in super::super) fn new(bytes: &'a [u8], meta: u64) -> Self {
        Self { bytes, meta, at: 0, commit: 0 }
    }

    /// Searches the next batch after unreadable bytes.
    fn search(&self) -> usize {
        let mut from = self.at + 1;
        while let Some(at) = memchr::memchr(START, self.bytes.get(from..).unwrap_or_default()) {
            let at = from + at;
            let batch = if self.bytes.get(at + START_BYTES) == Some(&ITEM) {
                Batch::read(self.bytes, at, self.meta)
            } else {
                None
            };
            // Bytes that a producer wrote into a notification are not a batch.
            if batch.and_then(|batch| batch.record).is_some_and(|record| record.commit > self.commit) {
                return at;
            }
            from = at + 1;
        }
        self.bytes.len()
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if let Some(batch) = Batch::read(self.bytes, self.at, self.meta) {
            self.at = batch.end;
            self.commit = batch.record.map_or(self.commit, |record| record.commit);
            return Some(Piece::Batch(batch));
        }
        let rest = self.bytes.get(self.at..)?;
        if rest.iter().all(|byte| *byte == 0) {
            return None;
        }
        let (at, end) = (self.at, self.search());
        self.at = end;
        Some(Piece::Broken { at, end })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::commit_position::Keyspace;

    pub(in super::super) const META_ID: u64 = 5;

    fn push_item(bytes: &mut Vec<u8>, keyspace: u64, key: &[u8], value: &[u8]) {
        bytes.extend_from_slice(&[ITEM, 0, 0]);
        bytes.extend_from_slice(&keyspace.to_le_bytes());
        bytes.extend_from_slice(&u16::try_from(key.len()).unwrap().to_le_bytes());
        for _ in 0..2 {
            bytes.extend_from_slice(&u32::try_from(value.len()).unwrap().to_le_bytes());
        }
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value);
    }

    fn batch(commit: u64) -> Vec<u8> {
        synced_batch(commit, commit - 1)
    }

    /// A commit of one notification, made after those up to `synced` were synced.
    pub(in super::super) fn synced_batch(commit: u64, synced: u64) -> Vec<u8> {
        let (first, keyspaces) = (commit, 1 << Keyspace::Rows as u8);
        let before = [commit - 1, 0, 0, 0, 0];
        let record = CommitRecord { commit, first, next: first + 1, synced, base: commit, keyspaces, before };
        let mut items = Vec::new();
        push_item(&mut items, 1, b"key", b"some value");
        push_item(&mut items, META_ID, RECORD_KEY, &record.encode());
        let start = [&[START][..], &2_u32.to_le_bytes(), &commit.to_le_bytes()].concat();
        [&start[..], &items, &[END], &xxh3_64(&items).to_le_bytes(), TRAILER].concat()
    }

    /// Returns the numbers of the batches, and the number of unreadable parts.
    fn read(bytes: &[u8]) -> (Vec<u64>, usize) {
        let (mut numbers, mut broken) = (Vec::new(), 0);
        for piece in Pieces::new(bytes, META_ID) {
            match piece {
                Piece::Batch(batch) if batch.header => numbers.push(batch.record.unwrap().commit),
                _ => broken += 1,
            }
        }
        (numbers, broken)
    }

    #[test]
    fn every_flipped_bit_and_cut_is_found() {
        let batches: Vec<Vec<u8>> = (1..=3).map(batch).collect();
        let mut bytes = batches.concat();
        bytes.resize(bytes.len() + 100, 0);
        assert_eq!(read(&bytes), (vec![1, 2, 3], 0));
        let len = batches[0].len();
        for at in len * 8..len * 16 {
            let mut damaged = bytes.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            let (numbers, broken) = read(&damaged);
            let harmless = (len + 5..len + 13).contains(&(at / 8)) && numbers == [1, 2, 3];
            assert!(harmless || (numbers == [1, 3] && broken == 1), "bit {at}: {numbers:?} {broken}");
        }
        for cut in 0..len {
            let (numbers, broken) = read(&bytes[..2 * len + cut]);
            assert_eq!((numbers, broken), (vec![1, 2], usize::from(cut > 0)));
        }
    }

    #[test]
    fn holes_read_as_zeros() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.jnl");
        let file = File::create(&path).unwrap();
        file.set_len(1 << 26).unwrap();
        assert!(super::read(&path).unwrap().len() < 1 << 20);
        for at in [1 << 20, 0] {
            std::os::unix::fs::FileExt::write_all_at(&file, b"written", at).unwrap();
            let (bytes, whole) = (super::read(&path).unwrap(), std::fs::read(&path).unwrap());
            assert!(bytes.len() >= (1 << 20) + 7 && bytes.len() < 1 << 22);
            assert_eq!(bytes, whole[..bytes.len()]);
            assert!(whole[bytes.len()..].iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn batch_inside_a_value_is_not_taken_for_a_batch() {
        let inner = batch(1);
        let mut damaged = [batch(1), batch(2)].concat();
        let at = damaged.len() - END_BYTES;
        damaged.truncate(at);
        damaged.extend_from_slice(&inner);
        assert_eq!(read(&damaged), (vec![1], 1));
    }
}
