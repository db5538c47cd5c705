//! The storage engine, its keyspaces and its batches.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use contract_notifications_v1::UserId;
use fjall::config::CompressionPolicy;
use fjall::{CompressionType, Database, Guard, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Slice};
use lsm_tree::AbstractTree as _;

use shared_sync::IgnorePoison as _;

use super::codec::{Seq, key_seq, row_key};
use super::commit_position::{
    CommitPosition, CommitRecord, KEYSPACES, Keyspace, META, NUMBER_KEY, RECORD_KEY,
};
use super::settings::StorageSettings;

/// Bytes of memory for rows of a small keyspace that are not in a table file yet.
const SMALL_MEMTABLE: u64 = 8 * 1024 * 1024;

/// Bytes of the tables that a merge of all tables writes: the engine's own default.
const MERGED_TABLE: u64 = 64 * 1024 * 1024;
/// Most bytes that are merged at once.
const MOST_MERGED: u64 = 4 * 1024 * 1024 * 1024;

/// An open database.
pub(super) struct Engine {
    db: Database,
    /// Notifications that have rows, by user and sequence.
    pub(super) rows: fjall::Keyspace,
    /// Ids accepted within the deduplication window, one record for each commit.
    pub(super) dedup: fjall::Keyspace,
    /// Dead letters by sequence.
    pub(super) dead: fjall::Keyspace,
    /// The rows of all [tables](super::Table).
    pub(super) tables: fjall::Keyspace,
    /// Pending records, one for each commit.
    pub(super) pending_records: fjall::Keyspace,
    /// The record of the last commit.
    meta: fjall::Keyspace,
    written: AtomicU64,
}

/// The changes of a commit. Of several changes of one key the last one counts.
pub(super) struct Batch {
    changes: Vec<(Keyspace, Slice, Option<Slice>)>,
    mode: PersistMode,
    /// The keyspaces that the batch writes to, one bit each.
    keyspaces: u8,
}

impl Batch {
    /// Creates a batch with room for `capacity` changes.
    pub(super) fn new(capacity: usize, mode: PersistMode) -> Self {
        Self { changes: Vec::with_capacity(capacity), mode, keyspaces: 0 }
    }

    pub(super) fn insert(&mut self, keyspace: Keyspace, key: impl Into<Slice>, value: impl Into<Slice>) {
        self.touch(keyspace);
        self.changes.push((keyspace, key.into(), Some(value.into())));
    }

    pub(super) fn remove(&mut self, keyspace: Keyspace, key: impl Into<Slice>) {
        self.touch(keyspace);
        self.changes.push((keyspace, key.into(), None));
    }

    /// Marks a keyspace as written to, so that the commit puts its number there.
    pub(super) const fn touch(&mut self, keyspace: Keyspace) {
        self.keyspaces |= 1 << keyspace as u8;
    }
}

impl Engine {
    pub(super) fn open(directory: &Path, settings: &StorageSettings) -> fjall::Result<Self> {
        let options = |memtable: u64| {
            KeyspaceCreateOptions::default()
                .max_memtable_size(memtable)
                .data_block_compression_policy(CompressionPolicy::all(CompressionType::None))
                .expect_point_read_hits(true)
        };
        // The engine's workers: one alone would serve rotation, flush and compaction in turn, and the
        // memtable would grow without limit during a compaction. With two, the one kept free for flushes
        // spins while the other compacts: after each flush every worker gets an order to compact, and the
        // first puts its own back into the queue until another takes it. A third takes it, and usually finds
        // nothing to do (docs/adr/0004-storage-engine.md).
        let db = Database::builder(directory)
            .cache_size(settings.cache_bytes)
            .journal_compression(CompressionType::None)
            .max_journaling_size(settings.journal_bytes)
            .worker_threads(3)
            .open()?;
        Ok(Self {
            rows: db.keyspace(Keyspace::Rows.name(), || options(settings.memtable_bytes))?,
            dedup: db.keyspace(Keyspace::Dedup.name(), || options(SMALL_MEMTABLE))?,
            dead: db.keyspace(Keyspace::DeadLetters.name(), || options(SMALL_MEMTABLE))?,
            tables: db.keyspace(Keyspace::Tables.name(), || options(SMALL_MEMTABLE))?,
            meta: db.keyspace(META, || options(SMALL_MEMTABLE))?,
            // Created last, as in a store made before pending records existed.
            pending_records: db
                .keyspace(Keyspace::PendingRecords.name(), || options(settings.memtable_bytes))?,
            db,
            written: AtomicU64::new(0),
        })
    }

    /// Converts the batch to the engine's own, sorted by key: each key's place in the memtable is then near
    /// that of the one before, which is in the processor's cache.
    fn sorted(
        &self,
        mut changes: Vec<(Keyspace, Slice, Option<Slice>)>,
        mode: PersistMode,
    ) -> OwnedWriteBatch {
        changes.sort_by(|(keyspace, key, _), (other_space, other_key, _)| {
            (*keyspace as u8, key).cmp(&(*other_space as u8, other_key))
        });
        let bytes =
            |(_, key, value): &(_, Slice, Option<Slice>)| key.len() + value.as_ref().map_or(0, |v| v.len());
        self.written.fetch_add(changes.iter().map(bytes).sum::<usize>() as u64, Ordering::Relaxed);
        let batch = OwnedWriteBatch::with_capacity(self.db.clone(), changes.len() + KEYSPACES + 1);
        let mut batch = batch.durability(Some(mode));
        for (keyspace, key, value) in changes {
            match value {
                Some(value) => batch.insert(self.keyspace(keyspace), key, value),
                None => batch.remove(self.keyspace(keyspace), key),
            }
        }
        batch
    }

    /// Writes a batch without a commit number, to an engine that is being made.
    pub(super) fn write_unnumbered(&self, batch: Batch) -> fjall::Result<()> {
        self.sorted(batch.changes, batch.mode).commit()
    }

    const fn keyspace(&self, keyspace: Keyspace) -> &fjall::Keyspace {
        match keyspace {
            Keyspace::Rows => &self.rows,
            Keyspace::Dedup => &self.dedup,
            Keyspace::DeadLetters => &self.dead,
            Keyspace::Tables => &self.tables,
            Keyspace::PendingRecords => &self.pending_records,
        }
    }

    /// Writes a batch as the commit after `position` and returns the new position. An empty batch is not
    /// written.
    pub(super) fn commit(
        &self,
        batch: Batch,
        position: &CommitPosition,
        next: Seq,
    ) -> fjall::Result<CommitPosition> {
        if batch.keyspaces == 0 { Ok(*position) } else { self.commit_always(batch, position, next) }
    }

    /// Writes a batch as the commit after `position`, even if it is empty.
    pub(super) fn commit_always(
        &self,
        batch: Batch,
        position: &CommitPosition,
        next: Seq,
    ) -> fjall::Result<CommitPosition> {
        let Batch { changes, mode, keyspaces } = batch;
        let mut inner = self.sorted(changes, mode);
        let CommitPosition { commit, next: first, synced, reach: before } = *position;
        let commit = commit + 1;
        let record = CommitRecord { commit, first, next, synced, base: self.db.seqno(), keyspaces, before };
        for keyspace in Keyspace::ALL.into_iter().filter(|keyspace| keyspaces & 1 << *keyspace as u8 != 0) {
            inner.insert(self.keyspace(keyspace), NUMBER_KEY, commit.to_be_bytes());
        }
        inner.insert(&self.meta, RECORD_KEY, record.encode());
        inner.commit()?;
        let synced = if mode == PersistMode::Buffer { synced } else { commit };
        Ok(CommitPosition { synced, ..record.position() })
    }

    /// Syncs everything written so far.
    pub(super) fn sync(&self) -> fjall::Result<()> {
        self.db.persist(PersistMode::SyncData)
    }

    /// Reads the position of the last commit; `None` if there is no record of one that can be decoded.
    pub(super) fn position(&self) -> fjall::Result<Option<CommitPosition>> {
        let value = self.meta.get(RECORD_KEY)?;
        Ok(value.and_then(|value| CommitRecord::decode(&value).ok()).map(|record| record.position()))
    }

    /// Number of tombstones in the rows' table files: removed rows whose space is not free yet.
    pub(super) fn tombstones(&self) -> u64 {
        self.rows.tree.tombstone_count()
    }

    /// Bytes of the rows' table files.
    pub(super) fn table_bytes(&self) -> u64 {
        self.rows.tree.disk_space()
    }

    /// Merges all table files of the rows into one level, without the removed rows. Does nothing and returns
    /// false if they have more than 4 GiB.
    ///
    /// Meanwhile the engine's own threads merge nothing, and commits wait once thirty memtables were written
    /// to table files. The limit keeps a merge to seconds.
    pub(super) fn merge_all(&self) -> fjall::Result<bool> {
        if self.table_bytes() > MOST_MERGED {
            return Ok(false);
        }
        let removed_before = self.db.supervisor.snapshot_tracker.get_seqno_safe_to_gc();
        self.rows.tree.major_compact(MERGED_TABLE, removed_before)?;
        Ok(true)
    }

    /// Bytes of rows in memory that are in no table file yet. They are in the journal, and writing them out takes about as
    /// many bytes again, until the journal is deleted.
    pub(super) fn unwritten_bytes(&self) -> u64 {
        self.db.write_buffer_size()
    }

    /// Bytes of the keys and values that were written since the engine was opened.
    pub(super) fn written_bytes(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Starts to write the rows of all keyspaces to table files, after which the engine deletes the journal. Does not
    /// wait: on a full disk it might never end.
    pub(super) fn start_write_out(&self) -> fjall::Result<()> {
        for keyspace in [&self.meta].into_iter().chain(Keyspace::ALL.map(|keyspace| self.keyspace(keyspace)))
        {
            keyspace.rotate_memtable()?;
        }
        Ok(())
    }

    /// Returns true if the engine's own threads have nothing to do.
    pub(super) fn is_at_rest(&self) -> bool {
        self.db.outstanding_flushes() == 0 && self.db.active_compactions() == 0
    }

    /// Number of rows in a keyspace.
    pub(super) fn count(&self, keyspace: Keyspace) -> fjall::Result<u64> {
        let rows = self.keyspace(keyspace).iter();
        rows.map(Guard::key).try_fold(0, |count, key| Ok(count + u64::from(&*key? != NUMBER_KEY)))
    }

    /// Iterates over the user's rows from `first` to `last`, in order.
    pub(super) fn scan(
        &self,
        user: &UserId,
        first: Seq,
        last: Seq,
    ) -> impl DoubleEndedIterator<Item = fjall::Result<(Seq, Slice)>> + use<> {
        let range = row_key(user, first)..=row_key(user, last.max(first));
        self.rows.range(range).map(|guard| {
            let (key, value) = guard.into_inner()?;
            Ok((key_seq(&key).unwrap_or(0), value))
        })
    }

    /// Iterates over the sequences of the user's rows from `first` to `last`, in order.
    pub(super) fn scan_keys(
        &self,
        user: &UserId,
        first: Seq,
        last: Seq,
    ) -> impl DoubleEndedIterator<Item = fjall::Result<Seq>> + use<> {
        let range = row_key(user, first)..=row_key(user, last.max(first));
        self.rows.range(range).map(|guard| Ok(key_seq(&guard.key()?).unwrap_or(0)))
    }
}

#[cfg(test)]
impl Engine {
    /// Writes all rows to table files, and waits for it.
    pub(super) fn write_out(&self) -> fjall::Result<()> {
        self.rows.rotate_memtable_and_wait()
    }
}

/// The present engine, which is replaced when it is reopened; empty while it is closed.
#[derive(Default)]
pub(super) struct EngineCell(RwLock<Option<Arc<Engine>>>);

impl EngineCell {
    /// Returns the engine, unless it is being reopened or closed. Callers must not keep it across an await.
    pub(super) fn get(&self) -> Option<Arc<Engine>> {
        self.0.read().ignore_poison().clone()
    }

    pub(super) fn set(&self, engine: Engine) {
        *self.0.write().ignore_poison() = Some(Arc::new(engine));
    }

    /// Closes the engine when no reader has it any more. Returns false if one still has it after `patience`.
    pub(super) fn close(&self, patience: Duration) -> bool {
        let taken = self.0.write().ignore_poison().take();
        let Some(mut engine) = taken else { return true };
        let start = Instant::now();
        loop {
            match Arc::try_unwrap(engine) {
                Ok(engine) => {
                    drop(engine);
                    return true;
                }
                Err(still) if start.elapsed() < patience => engine = still,
                Err(still) => {
                    *self.0.write().ignore_poison() = Some(still);
                    return false;
                }
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Folder of an engine that the first start is making.
pub(super) const NEW: &str = "engine.new";
/// Folder of an engine that a repair is making.
pub(super) const REPAIRED: &str = "engine.repaired";

/// Returns the engine's folder in the store's directory.
pub(super) fn directory(store: &Path) -> PathBuf {
    store.join("engine")
}

/// Returns the free bytes on the disk of `directory`, or the highest number if the system does not say.
pub(super) fn free_bytes(directory: &Path) -> u64 {
    rustix::fs::statvfs(directory).map_or(u64::MAX, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
}
