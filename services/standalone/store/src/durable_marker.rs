//! The durable marker: a file beside the engine that names the last durable commit. It reveals the loss of
//! the last commits, which the engine does not: it silently cuts a damaged journal
//! (docs/adr/0008-storage-under-fire.md).
//!
//! The committer writes the marker in place after every durable commit and before it answers, and syncs it at
//! most once a second. After a kill the marker is exact; after a power cut it may be about a second old.
//! Writes alternate between two slots, so that one slot is whole at any time.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::codec::{Reader, Seq};
use super::commit_position::{
    CommitPosition, KEYSPACES, KEYSPACES_BEFORE_PENDING_RECORDS, Reach, read_reach,
};

/// The file's name.
pub(super) const FILE: &str = "mark";

const MAGIC: &[u8; 8] = b"tidings3";
const MAGIC_BEFORE_PENDING_RECORDS: &[u8; 8] = b"tidings2";
/// Bytes of a slot: a disk sector, which no disk writes in part.
const SLOT: usize = 512;

/// The commit that a slot names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DurablePosition {
    pub(super) commit: u64,
    pub(super) next: Seq,
    pub(super) reach: Reach,
}

/// The open marker file.
#[derive(Debug)]
pub(super) struct DurableMarker {
    file: File,
    /// True if the next write goes to the second slot.
    second: bool,
    unsynced: bool,
}

impl DurableMarker {
    /// Creates or replaces the file with both slots written. It is durable when this returns.
    pub(super) fn create(directory: &Path, position: &CommitPosition) -> io::Result<()> {
        let new = directory.join("mark.new");
        let file = File::create(&new)?;
        let slot = encode(position);
        for at in [0, SLOT] {
            file.write_all_at(&[0; SLOT], at as u64)?;
            file.write_all_at(&slot, at as u64)?;
        }
        file.sync_all()?;
        std::fs::rename(new, directory.join(FILE))?;
        File::open(directory)?.sync_all()
    }

    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let file = File::options().write(true).open(directory.join(FILE))?;
        let second = matches!(slots(directory)?, [Some(first), second]
            if second.is_none_or(|second| first.commit >= second.commit));
        Ok(Self { file, second, unsynced: false })
    }

    /// Records that the commits up to `position.synced`, the last one, are durable.
    pub(super) fn write(&mut self, position: &CommitPosition) -> io::Result<()> {
        let at = if self.second { SLOT } else { 0 };
        self.file.write_all_at(&encode(position), at as u64)?;
        self.second = !self.second;
        self.unsynced = true;
        Ok(())
    }

    /// Syncs the file.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.unsynced) { self.file.sync_data() } else { Ok(()) }
    }

    pub(super) const fn is_unsynced(&self) -> bool {
        self.unsynced
    }
}

/// Reads the latest whole slot. Returns `None` without a file, and an error when no slot is whole.
pub(super) fn read(directory: &Path) -> io::Result<Option<DurablePosition>> {
    if !directory.join(FILE).try_exists()? {
        return Ok(None);
    }
    let [first, second] = slots(directory)?;
    if first.is_none() || second.is_none() {
        tracing::warn!("one half of the marker beside the store is damaged; the other is used");
    }
    let latest = [first, second].into_iter().flatten().max_by_key(|marked| marked.commit);
    let none = "neither half is whole, or a later version wrote it";
    latest.map(Some).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, none))
}

fn slots(directory: &Path) -> io::Result<[Option<DurablePosition>; 2]> {
    let bytes = std::fs::read(directory.join(FILE))?;
    Ok([0, SLOT].map(|at| bytes.get(at..).and_then(decode)))
}

fn encode(position: &CommitPosition) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(content(KEYSPACES) + 8);
    bytes.extend_from_slice(MAGIC);
    for number in [position.commit, position.next].into_iter().chain(position.reach) {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    let checksum = xxh3_64(&bytes);
    bytes.extend_from_slice(&checksum.to_be_bytes());
    bytes
}

/// Bytes of a slot before its checksum.
const fn content(keyspaces: usize) -> usize {
    MAGIC.len() + 8 * (2 + keyspaces)
}

fn decode(bytes: &[u8]) -> Option<DurablePosition> {
    let keyspaces = match bytes.first_chunk()? {
        MAGIC => KEYSPACES,
        MAGIC_BEFORE_PENDING_RECORDS => KEYSPACES_BEFORE_PENDING_RECORDS,
        _ => return None,
    };
    let (content, rest) = bytes.split_at_checked(content(keyspaces))?;
    let checksum = u64::from_be_bytes(*rest.first_chunk()?);
    if xxh3_64(content) != checksum {
        return None;
    }
    let mut reader = Reader(&content[MAGIC.len()..]);
    let (commit, next) = (reader.number().ok()?, reader.number().ok()?);
    let reach = read_reach(&mut reader, keyspaces).ok()?;
    Some(DurablePosition { commit, next, reach })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(commit: u64) -> CommitPosition {
        CommitPosition { commit, next: commit * 10, synced: commit, reach: [commit, 0, 0, 1, 0] }
    }

    fn noted(directory: &Path) -> u64 {
        read(directory).unwrap().unwrap().commit
    }

    #[test]
    fn damaged_slot_falls_back_to_the_other() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
        DurableMarker::create(dir.path(), &position(1)).unwrap();
        let mut marker = DurableMarker::open(dir.path()).unwrap();
        for commit in 2..6 {
            marker.write(&position(commit)).unwrap();
            assert_eq!(noted(dir.path()), commit);
            // A fresh handle writes to the other slot.
            marker = DurableMarker::open(dir.path()).unwrap();
        }
        let path = dir.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        for at in 0..content(KEYSPACES) + 8 {
            for slot in [0, SLOT] {
                let mut bytes = whole.clone();
                bytes[slot + at] ^= 1;
                std::fs::write(&path, &bytes).unwrap();
                assert!([4, 5].contains(&noted(dir.path())), "{slot} {at}");
            }
            let mut bytes = whole.clone();
            (bytes[at], bytes[SLOT + at]) = (!bytes[at], !bytes[SLOT + at]);
            std::fs::write(&path, &bytes).unwrap();
            assert!(read(dir.path()).is_err());
        }
        std::fs::write(&path, []).unwrap();
        assert!(read(dir.path()).is_err());
    }

    #[test]
    fn marker_is_written_on_a_full_disk() {
        let mount = tempfile::tempdir().unwrap();
        let disk = verification_conformance::SmallDisk::mount(mount.path(), 1);
        DurableMarker::create(disk.path(), &position(1)).unwrap();
        let mut marker = DurableMarker::open(disk.path()).unwrap();
        let mut ballast = File::create(disk.path().join("rest")).unwrap();
        while io::Write::write_all(&mut ballast, &[0; 4096]).is_ok() {}
        for commit in 2..50 {
            marker.write(&position(commit)).unwrap();
            marker.sync().unwrap();
            assert_eq!(noted(disk.path()), commit);
        }
    }
}
