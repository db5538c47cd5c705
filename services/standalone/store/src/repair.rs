//! Checks and repairs a damaged store.
//!
//! A repair changes none of the engine's files. It copies everything readable to a new engine, renames the
//! old engine's folder, puts the new one in its place, and writes the marker for it.

use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use fjall::PersistMode;
use lsm_tree::InternalValue;
use serde::Serialize;

use super::codec::{Seq, key_seq, row_key};
use super::commit_position::{CommitPosition, KEYSPACES, Keyspace, META, NUMBER_KEY};
use super::durable_marker::{self, DurableMarker};
use super::engine::{self, Batch, Engine};
use super::error::OpenError;
use super::integrity::{self, Damage, Found, Piece, Pieces, Tables};
use super::opening;
use super::pending_records::{self, PendingNotification};
use super::settings::StorageSettings;

/// Number of sequences that are skipped after a loss, because some of them may have been assigned.
const SKIPPED_SEQUENCES: Seq = 1 << 20;
/// Rows written to the new engine at once.
const AT_ONCE: usize = 4_096;
/// Most unreadable parts named in a report.
const MOST_PLACES: usize = 100;

/// The contents of a store and its damage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Check {
    /// True if there is a store.
    pub there: bool,
    /// The number of the last commit.
    pub commit: u64,
    /// Journal files.
    pub journals: usize,
    /// Batches in the journals.
    pub batches: u64,
    /// Table files.
    pub tables: usize,
    /// Bytes of a commit that was being written when the process stopped. They are no loss.
    pub unfinished_bytes: u64,
    /// The damage; empty if everything is there that was durable.
    pub damage: Vec<Damage>,
}

/// The result of a repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Repaired {
    /// The damage before the repair.
    pub damage: Vec<Damage>,
    /// Undelivered notifications that were kept.
    pub notifications: u64,
    /// Dead letters that were kept.
    pub dead_letters: u64,
    /// Rows of tables, such as user accounts, that were kept.
    pub table_rows: u64,
    /// Most notifications that missing commits had accepted. Some of them may have been delivered.
    pub lost_notifications: u64,
    /// The first unreadable parts of table files.
    pub unreadable: Vec<Unreadable>,
    /// Number of unreadable parts.
    pub unreadable_parts: u64,
    /// Folder of the former engine.
    pub kept: PathBuf,
}

/// An unreadable part of a table file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unreadable {
    /// The keyspace.
    pub keyspace: &'static str,
    /// The user, or other key, of the last row before it.
    pub after: Option<String>,
    /// The user, or other key, of the first row behind it.
    pub before: Option<String>,
}

/// Reports the contents and the damage of a store. Reads all of it and changes nothing.
///
/// # Errors
/// [`OpenError`] if another process has the store open, or the directory can't be used.
pub fn check(directory: &Path) -> Result<Check, OpenError> {
    let there = directory.exists() && integrity::is_there(directory);
    if !there {
        let (journals, tables) = (0, 0);
        let nothing =
            Check { there, commit: 0, journals, batches: 0, tables, unfinished_bytes: 0, damage: vec![] };
        return Ok(nothing);
    }
    let _lock = opening::lock(directory)?;
    let engine = engine::directory(directory);
    let Found { mut damage, position, names, journals, batches, unfinished } = integrity::look(directory);
    let mut tables = 0;
    for id in names.iter().map(|(id, _)| *id).chain([0]) {
        let listed = Tables::listed(&engine, id);
        tables += listed.open.len() + listed.bad.len();
        let known: Vec<_> = damage.clone();
        damage.extend(listed.verify().into_iter().map(Damage::from).filter(|bad| !known.contains(bad)));
    }
    let unfinished_bytes = unfinished.map_or(0, |(_, bytes)| bytes);
    let (commit, journals) = (position.commit, journals.len());
    Ok(Check { there, commit, journals, batches, tables, unfinished_bytes, damage })
}

/// Makes a new engine from everything readable, so that the store can be opened again, and reports the
/// losses. The former engine is kept beside it.
///
/// # Errors
/// [`OpenError`] if another process has the store open, or the new engine can't be written.
pub fn repair(directory: &Path, settings: &StorageSettings) -> Result<Repaired, OpenError> {
    let unusable = |source| OpenError::Directory { directory: directory.to_owned(), source };
    let _lock = opening::lock(directory)?;
    let old = engine::directory(directory);
    if !old.exists()
        && let Some(kept) = last_kept(directory)
    {
        // An earlier repair was interrupted after it had moved the old engine away.
        std::fs::rename(kept, &old).map_err(unusable)?;
    }
    let new = directory.join(engine::REPAIRED);
    opening::remove(&new).map_err(unusable)?;
    let found = integrity::look(directory);
    let engine_error = |source| OpenError::Engine { directory: new.clone(), source };
    let engine = Engine::open(&new, settings).map_err(engine_error)?;
    let mut salvage =
        Salvage { engine: &engine, batch: None, waiting: 0, counts: [0; KEYSPACES], highest: 0 };
    let (mut unreadable, mut parts) = (Vec::new(), 0);
    let mut done = [None; KEYSPACES];
    for keyspace in Keyspace::ALL {
        let id = keyspace_id(&found, keyspace.name());
        let mut tables = Tables::listed(&old, id);
        if !tables.bad.is_empty() && tables.open.is_empty() {
            tables = Tables::found(&old, id);
        }
        let bad = salvage.tables(keyspace, &tables).map_err(engine_error)?;
        // Changes that whole table files contain are not repeated from the journals: that would bring back
        // removed rows whose tombstones were merged away.
        done[keyspace as usize] = tables.highest_seqno().filter(|_| tables.bad.is_empty() && bad.is_empty());
        parts += bad.len() as u64;
        unreadable.extend(bad);
    }
    for journal in &found.journals {
        if let Ok(bytes) = integrity::journal::read(journal) {
            salvage.journal(&bytes, &found, &done).map_err(engine_error)?;
        }
    }
    let bad = salvage.pending_records().map_err(engine_error)?;
    parts += bad.len() as u64;
    unreadable.extend(bad);
    unreadable.truncate(MOST_PLACES);
    let (counts, highest) = salvage.finish().map_err(engine_error)?;
    let marked = durable_marker::read(directory).ok().flatten();
    let next = found.position.next.max(marked.map_or(1, |marked| marked.next)).max(highest.saturating_add(1));
    let whole = found.damage.is_empty() && parts == 0;
    let commit = found.position.commit.max(marked.map_or(0, |marked| marked.commit));
    let next = if whole { next } else { next.saturating_add(SKIPPED_SEQUENCES) };
    let position = opening::write_first_commit(
        &engine,
        &CommitPosition { commit, next, synced: commit, reach: [0; KEYSPACES] },
    );
    let position = position.map_err(engine_error)?;
    drop(engine);
    let kept = kept_folder(directory);
    if old.exists() {
        std::fs::rename(&old, &kept).map_err(unusable)?;
    }
    opening::put_in_place(directory, engine::REPAIRED).map_err(unusable)?;
    DurableMarker::create(directory, &position).map_err(unusable)?;
    let missing = |damage: &Damage| match damage {
        Damage::Commits { notifications, .. } => *notifications,
        _ => 0,
    };
    Ok(Repaired {
        lost_notifications: found.damage.iter().map(missing).sum(),
        damage: found.damage,
        notifications: counts[Keyspace::Rows as usize],
        dead_letters: counts[Keyspace::DeadLetters as usize],
        table_rows: counts[Keyspace::Tables as usize],
        unreadable,
        unreadable_parts: parts,
        kept,
    })
}

/// Returns the id of a keyspace: from the engine's files, or else the id that the engine assigned when the
/// store was made.
fn keyspace_id(found: &Found, name: &str) -> u64 {
    let [rows, dedup, dead, tables, pending_records] = Keyspace::ALL.map(Keyspace::name);
    let mut made = [rows, dedup, dead, tables, META, pending_records].into_iter();
    let at = made.position(|other| other == name).unwrap_or(0) as u64;
    found.keyspace(name).unwrap_or(at + 1)
}

const KEPT: &str = "engine.damaged-";

/// Returns the name of the folder in which the replaced engine is kept.
fn kept_folder(directory: &Path) -> PathBuf {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    directory.join(format!("{KEPT}{}", now.as_millis()))
}

/// Returns the folder of the engine that was replaced last, if there is one.
fn last_kept(directory: &Path) -> Option<PathBuf> {
    let number = |path: &PathBuf| path.file_name()?.to_str()?.strip_prefix(KEPT)?.parse::<u128>().ok();
    let files = std::fs::read_dir(directory).ok()?.flatten().map(|file| file.path());
    files.filter(|path| number(path).is_some()).max_by_key(number)
}

/// The new engine while it is filled.
struct Salvage<'a> {
    engine: &'a Engine,
    batch: Option<Batch>,
    waiting: usize,
    counts: [u64; KEYSPACES],
    highest: Seq,
}

impl Salvage<'_> {
    fn write(&mut self, keyspace: Keyspace, key: &[u8], value: Option<&[u8]>) -> fjall::Result<()> {
        let batch = self.batch.get_or_insert_with(|| Batch::new(AT_ONCE, PersistMode::Buffer));
        match value {
            Some(value) => {
                if matches!(keyspace, Keyspace::Rows | Keyspace::DeadLetters) {
                    self.highest = self.highest.max(key_seq(key).unwrap_or(0));
                }
                batch.insert(keyspace, key, value);
            }
            None => batch.remove(keyspace, key),
        }
        self.waiting += 1;
        if self.waiting >= AT_ONCE { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> fjall::Result<()> {
        self.waiting = 0;
        self.batch.take().map_or(Ok(()), |batch| self.engine.write_unnumbered(batch))
    }

    /// Copies the latest version of every key, and records the unreadable parts.
    fn tables(&mut self, keyspace: Keyspace, tables: &Tables) -> fjall::Result<Vec<Unreadable>> {
        let mut bad = Vec::new();
        let readers = tables.open.iter().map(|(_, table)| Readable::new(integrity::rows(table)).peekable());
        let mut readers: Vec<_> = readers.collect();
        let mut last: Option<Vec<u8>> = None;
        while let Some(item) = next_of(&mut readers) {
            let InternalValue { key, value } = match item {
                Ok(item) => item,
                Err((after, before)) => {
                    let name = |key: Option<Vec<u8>>| key.map(|key| shown(keyspace, &key));
                    bad.push(Unreadable {
                        keyspace: keyspace.name(),
                        after: name(after),
                        before: name(before),
                    });
                    continue;
                }
            };
            let known = last.as_deref() == Some(&key.user_key[..]);
            if !known && !key.is_tombstone() && &*key.user_key != NUMBER_KEY {
                self.write(keyspace, &key.user_key, Some(&value))?;
            }
            if !known {
                last = Some(key.user_key.to_vec());
            }
        }
        self.flush()?;
        Ok(bad)
    }

    /// Repeats the changes of a journal's whole batches.
    fn journal(&mut self, bytes: &[u8], found: &Found, done: &[Option<u64>; KEYSPACES]) -> fjall::Result<()> {
        let keyspaces = Keyspace::ALL.map(|keyspace| (keyspace_id(found, keyspace.name()), keyspace));
        for piece in Pieces::new(bytes, keyspace_id(found, META)) {
            let Piece::Batch(batch) = piece else { continue };
            let seqno = batch.record.filter(|_| !batch.header).map_or(batch.seqno, |record| record.base);
            for item in batch.items() {
                let keyspace =
                    keyspaces.iter().find(|(id, _)| *id == item.keyspace).map(|(_, keyspace)| *keyspace);
                let Some(keyspace) = keyspace.filter(|_| item.key != NUMBER_KEY) else { continue };
                if done[keyspace as usize].is_none_or(|done| seqno > done) {
                    self.write(keyspace, item.key, item.value)?;
                }
            }
        }
        self.flush()
    }

    /// Creates rows for pending notifications.
    fn pending_records(&mut self) -> fjall::Result<Vec<Unreadable>> {
        let mut bad = Vec::new();
        for commit in pending_records::commits(self.engine)? {
            if let Ok(pending_records) = pending_records::incomplete(self.engine, commit)? {
                for PendingNotification { user, seq, value, .. } in pending_records {
                    self.write(Keyspace::Rows, &row_key(&user, seq), Some(&value))?;
                }
            } else {
                let name = Some(format!("commit {commit}"));
                let keyspace = Keyspace::PendingRecords.name();
                bad.push(Unreadable { keyspace, after: name.clone(), before: name });
            }
            for key in pending_records::keys(commit) {
                self.write(Keyspace::PendingRecords, &key, None)?;
            }
        }
        self.flush()?;
        Ok(bad)
    }

    /// Returns the number of rows of each keyspace, and the highest sequence.
    fn finish(mut self) -> fjall::Result<([u64; KEYSPACES], Seq)> {
        self.flush()?;
        for keyspace in Keyspace::ALL {
            self.counts[keyspace as usize] = self.engine.count(keyspace)?;
        }
        Ok((self.counts, self.highest))
    }
}

/// Names a key in a report: by the user of a notification.
fn shown(keyspace: Keyspace, key: &[u8]) -> String {
    let user = key.split(|byte| *byte == 0).next().filter(|_| keyspace == Keyspace::Rows);
    user.map_or_else(|| hex::encode(key), |user| String::from_utf8_lossy(user).into_owned())
}

type Around = (Option<Vec<u8>>, Option<Vec<u8>>);

/// The rows of a table, with the neighbouring keys in place of an unreadable part.
struct Readable<I: Iterator<Item = lsm_tree::Result<InternalValue>>> {
    rows: Peekable<I>,
    last: Option<Vec<u8>>,
}

impl<I: Iterator<Item = lsm_tree::Result<InternalValue>>> Readable<I> {
    fn new(rows: I) -> Self {
        Self { rows: rows.peekable(), last: None }
    }
}

impl<I: Iterator<Item = lsm_tree::Result<InternalValue>>> Iterator for Readable<I> {
    type Item = Result<InternalValue, Around>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Ok(row) = self.rows.next()? {
            self.last = Some(row.key.user_key.to_vec());
            return Some(Ok(row));
        }
        while self.rows.next_if(Result::is_err).is_some() {}
        let before = self.rows.peek().and_then(|row| row.as_ref().ok());
        Some(Err((self.last.clone(), before.map(|row| row.key.user_key.to_vec()))))
    }
}

/// Merges the rows of several tables by key, the latest version first, with unreadable parts where they are.
fn next_of<I: Iterator<Item = Result<InternalValue, Around>>>(
    readers: &mut [Peekable<I>],
) -> Option<Result<InternalValue, Around>> {
    let mut first: Option<(usize, InternalValue)> = None;
    for (at, reader) in readers.iter_mut().enumerate() {
        match reader.peek() {
            Some(Err(_)) => return reader.next(),
            Some(Ok(row)) if first.as_ref().is_none_or(|(_, first)| row.key < first.key) => {
                first = Some((at, row.clone()));
            }
            _ => {}
        }
    }
    let (at, _) = first?;
    readers[at].next()
}
