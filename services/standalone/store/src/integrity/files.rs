//! Reads the engine's table files without opening the engine, which would begin to change them.
//!
//! A keyspace is a folder. `current` names the manifest `vN` in force and has its checksum; the manifest
//! lists the table files in `tables` (lsm-tree 3, `version/persist.rs`). The engine does not compare that
//! checksum, and it takes a keyspace without `current` for an unfinished one and deletes it.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lsm_tree::table::filter::standard_bloom::Builder;
use lsm_tree::{Cache, Checksum, InternalValue, SeqNo, Table, TableId};
use xxhash_rust::xxh3::xxh3_128;

/// The keyspace with the names and settings of the others.
const NAMES: u64 = 0;
/// Bytes of cache for reading a few blocks.
const CACHE_BYTES: u64 = 1024 * 1024;

/// A damaged file and its fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct BadFile {
    pub(in super::super) path: PathBuf,
    pub(in super::super) why: String,
}

impl BadFile {
    fn new(path: &Path, why: impl std::fmt::Display) -> Self {
        Self { path: path.to_owned(), why: why.to_string() }
    }
}

/// Returns the folder of a keyspace.
pub(in super::super) fn folder(engine: &Path, id: u64) -> PathBuf {
    engine.join("keyspaces").join(id.to_string())
}

/// The table files of a keyspace.
pub(in super::super) struct Tables {
    /// Tables that can be opened.
    pub(in super::super) open: Vec<(PathBuf, Table)>,
    pub(in super::super) bad: Vec<BadFile>,
}

impl Tables {
    /// Opens the tables that the manifest in force lists.
    pub(in super::super) fn listed(engine: &Path, id: u64) -> Self {
        let folder = folder(engine, id);
        let mut tables = Self { open: Vec::new(), bad: Vec::new() };
        match manifest(&folder) {
            Ok(listed) => {
                let listed = listed.into_iter().map(|entry| {
                    (folder.join("tables").join(entry.table.to_string()), entry.checksum, entry.base)
                });
                tables.add(id, listed);
            }
            Err(bad) => tables.bad.push(bad),
        }
        tables
    }

    /// Opens all tables in the folder, for use without a manifest.
    pub(in super::super) fn found(engine: &Path, id: u64) -> Self {
        let folder = folder(engine, id);
        let mut tables = Self { open: Vec::new(), bad: Vec::new() };
        let files = std::fs::read_dir(folder.join("tables")).into_iter().flatten().flatten();
        tables.add(id, files.map(|file| (file.path(), Checksum::from_raw(0), 0)));
        tables
    }

    fn add(&mut self, id: u64, files: impl Iterator<Item = (PathBuf, Checksum, SeqNo)>) {
        let cache = Arc::new(Cache::with_capacity_bytes(CACHE_BYTES));
        for (path, checksum, base) in files {
            // Not pinned: reading the table finds a damaged index or filter.
            match Table::recover(path.clone(), checksum, base, id, Arc::clone(&cache), None, false, false) {
                Ok(table) if path.file_name().is_some_and(|name| *name == *table.id().to_string()) => {
                    self.open.push((path, table));
                }
                Ok(table) => self.bad.push(BadFile::new(&path, format!("it is table {}", table.id()))),
                Err(error) => self.bad.push(BadFile::new(&path, error)),
            }
        }
    }

    /// Returns the value of a key in the table files.
    pub(in super::super) fn get(&self, key: &[u8]) -> Result<Option<InternalValue>, BadFile> {
        let hash = Builder::get_hash(key);
        let mut latest: Option<InternalValue> = None;
        for (path, table) in &self.open {
            let found = table.get(key, SeqNo::MAX, hash).map_err(|error| BadFile::new(path, error))?;
            let later = |value: &InternalValue| latest.as_ref().is_none_or(|l| l.key.seqno < value.key.seqno);
            latest = found.filter(later).or(latest);
        }
        Ok(latest.filter(|value| !value.key.is_tombstone()))
    }

    /// Reads every row and returns the files that can't be read to the end.
    pub(in super::super) fn read_through(&self) -> Vec<BadFile> {
        let bad = self.open.iter().filter_map(|(path, table)| {
            let error = rows(table).find_map(Result::err)?;
            Some(BadFile::new(path, error))
        });
        bad.collect()
    }

    /// Returns the highest engine number in a table file.
    pub(in super::super) fn highest_seqno(&self) -> Option<SeqNo> {
        self.open.iter().map(|(_, table)| table.get_highest_seqno()).max()
    }

    /// Compares every table file with its checksum.
    pub(in super::super) fn verify(&self) -> Vec<BadFile> {
        let bad = self.open.iter().filter_map(|(path, table)| {
            let why = match std::fs::read(path) {
                Ok(bytes) if xxh3_128(&bytes) == table.checksum().into_u128() => return None,
                Ok(_) => "its checksum is another".to_owned(),
                Err(error) => error.to_string(),
            };
            Some(BadFile { path: path.clone(), why })
        });
        bad.collect()
    }
}

/// A table file as the manifest lists it.
struct Entry {
    table: TableId,
    checksum: Checksum,
    base: SeqNo,
}

/// Returns the table files of a keyspace by the manifest in force.
fn manifest(folder: &Path) -> Result<Vec<Entry>, BadFile> {
    let current = folder.join("current");
    let bytes = std::fs::read(&current).map_err(|error| BadFile::new(&current, error))?;
    let parts = bytes.split_first_chunk().and_then(|(id, rest)| Some((id, rest.split_first_chunk()?)));
    let Some((id, (checksum, [0]))) = parts else {
        return Err(BadFile::new(&current, "it is not as it was written"));
    };
    let path = folder.join(format!("v{}", u64::from_le_bytes(*id)));
    let bad = |error: io::Error| BadFile::new(&path, error);
    let bytes = std::fs::read(&path).map_err(bad)?;
    if xxh3_128(&bytes) != u128::from_le_bytes(*checksum) {
        return Err(BadFile::new(&path, "its checksum is another"));
    }
    let archive = sfa::Reader::new(&path).map_err(|error| BadFile::new(&path, error))?;
    let section = archive.toc().section(b"tables");
    let section = section.ok_or_else(|| BadFile::new(&path, "it lists no tables"))?;
    let section = usize::try_from(section.pos()).ok().and_then(|at| bytes.get(at..));
    entries(section.unwrap_or_default()).map_err(bad)
}

/// Parses the manifest's list: levels of runs of tables, each after its length.
fn entries(mut list: &[u8]) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for _ in 0..take::<1>(&mut list)?[0] {
        for _ in 0..take::<1>(&mut list)?[0] {
            for _ in 0..u32::from_le_bytes(take(&mut list)?) {
                let table = u64::from_le_bytes(take(&mut list)?);
                take::<1>(&mut list)?;
                let checksum = Checksum::from_raw(u128::from_le_bytes(take(&mut list)?));
                entries.push(Entry { table, checksum, base: u64::from_le_bytes(take(&mut list)?) });
            }
        }
    }
    Ok(entries)
}

fn take<const N: usize>(list: &mut &[u8]) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    list.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Iterates over all rows of a table file in order, with an error for each unreadable block. The engine's own
/// iterator repeats the error of a damaged index without end.
pub(in super::super) fn rows(table: &Table) -> impl Iterator<Item = lsm_tree::Result<InternalValue>> + use<> {
    let (blocks, mut errors) = (table.metadata.data_block_count, 0);
    table.range(..).take_while(move |row| {
        errors = if row.is_err() { errors + 1 } else { 0 };
        errors <= blocks
    })
}

/// Returns the keyspaces by name, as the engine would find them, and the damage to the files with their
/// names.
pub(in super::super) fn names(engine: &Path) -> (Vec<(u64, String)>, Vec<BadFile>) {
    let Tables { open, mut bad, .. } = Tables::listed(engine, NAMES);
    let mut latest: std::collections::BTreeMap<Vec<u8>, InternalValue> = std::collections::BTreeMap::new();
    for (path, table) in &open {
        let mut unreadable = None;
        for item in rows(table) {
            match item {
                Ok(item) => {
                    let entry = latest.entry(item.key.user_key.to_vec()).or_insert_with(|| item.clone());
                    if entry.key.seqno < item.key.seqno {
                        *entry = item;
                    }
                }
                Err(error) => _ = unreadable.get_or_insert(error),
            }
        }
        bad.extend(unreadable.map(|error| BadFile::new(path, error)));
    }
    let name = |(key, item): (Vec<u8>, InternalValue)| {
        let id = u64::from_be_bytes(*key.strip_prefix(b"n")?.first_chunk()?);
        let name = String::from_utf8(item.value.to_vec()).ok()?;
        (!item.key.is_tombstone()).then_some((id, name))
    };
    (latest.into_iter().filter_map(name).collect(), bad)
}

#[cfg(test)]
mod tests {
    use fjall::PersistMode;
    use verification_conformance::user;

    use super::super::super::codec::row_key;
    use super::super::super::commit_position::{CommitPosition, Keyspace};
    use super::super::super::engine::{Batch, Engine};
    use super::super::super::settings::StorageSettings;
    use super::*;

    #[test]
    fn damaged_table_iteration_ends() {
        const ROWS: u64 = 100;
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::open(dir.path(), &StorageSettings::default()).unwrap();
        let mut batch = Batch::new(0, PersistMode::Buffer);
        for seq in 0..ROWS {
            batch.insert(Keyspace::Rows, row_key(&user("a"), seq), [7; 100]);
        }
        engine.commit(batch, &CommitPosition::EMPTY, 1).unwrap();
        engine.write_out().unwrap();
        drop(engine);
        let first = 1;
        let Tables { open, .. } = Tables::found(dir.path(), first);
        let [(path, table)] = &open[..] else { panic!("one table was written") };
        // And the number of the commit.
        assert_eq!(rows(table).flatten().count() as u64, ROWS + 1);
        let whole = std::fs::read(path).unwrap();
        let mut unreadable = 0;
        for at in (0..whole.len()).step_by(32) {
            let mut damaged = whole.clone();
            damaged[at] = !damaged[at];
            std::fs::write(path, damaged).unwrap();
            for (_, table) in Tables::found(dir.path(), first).open {
                assert!(rows(&table).take(1_000).count() < 1_000, "{at}");
                unreadable += u64::from(rows(&table).next().is_some_and(|row| row.is_err()));
            }
        }
        assert!(unreadable > 0);
    }
}
