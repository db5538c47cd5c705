//! The storage engine and its keyspaces.

use std::path::{Path, PathBuf};
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

/// Memory for rows of the small keyspaces not yet in a table file.
const SMALL_MEMTABLE: u64 = 8 * 1024 * 1024;

/// Size of the tables that are written when all are merged: the engine's own.
const MERGED_TABLE: u64 = 64 * 1024 * 1024;
/// Most bytes that are merged at once.
const MOST_MERGED: u64 = 4 * 1024 * 1024 * 1024;

/// An open database.
pub(super) struct Engine {
    db: Database,
    /// Notifications from acceptance until they are delivered, let go, or dead letters.
    pub(super) rows: fjall::Keyspace,
    /// Ids accepted lately, one record for each commit.
    pub(super) dedup: fjall::Keyspace,
    /// Dead letters by sequence.
    pub(super) dead: fjall::Keyspace,
    /// The rows of all [tables](super::Table).
    pub(super) tables: fjall::Keyspace,
    /// What is about to be delivered, one record for each commit.
    pub(super) pending_records: fjall::Keyspace,
    /// The record of the last commit.
    meta: fjall::Keyspace,
}

/// A commit in the making. Of several changes of one key the last counts.
pub(super) struct Batch {
    changes: Vec<(Keyspace, Slice, Option<Slice>)>,
    mode: PersistMode,
    /// Which spaces it writes to, one bit each.
    keyspaces: u8,
}

impl Batch {
    /// A batch with room for so many changes.
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

    /// Has the commit's number written to a space besides.
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
        // One worker serves rotation, flush and compaction in turn: the memtable would grow without limit
        // during a compaction. Of two the one that is kept free for flushes spins while the other compacts: after
        // each flush there is an order to compact for every worker, and the first hands its own back to the queue
        // until another takes it. A third takes it, and finds most often that there is nothing to do
        // (docs/adr/0004-storage-engine.md).
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
            // After the others, as in a store that was made before there were arrivals.
            pending_records: db
                .keyspace(Keyspace::PendingRecords.name(), || options(settings.memtable_bytes))?,
            db,
        })
    }

    /// The engine's own form of a batch, in the order of the keys: each finds its place in the memtable near that of
    /// the one before, which is in the processor's cache.
    fn sorted(
        &self,
        mut changes: Vec<(Keyspace, Slice, Option<Slice>)>,
        mode: PersistMode,
    ) -> OwnedWriteBatch {
        changes.sort_by(|(keyspace, key, _), (other_space, other_key, _)| {
            (*keyspace as u8, key).cmp(&(*other_space as u8, other_key))
        });
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

    /// Writes a batch that is no commit, to an engine in the making.
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

    /// Writes a batch as the commit after `head`, and says how far the store is then. A batch with nothing in
    /// it is not written.
    pub(super) fn commit(
        &self,
        batch: Batch,
        position: &CommitPosition,
        next: Seq,
    ) -> fjall::Result<CommitPosition> {
        if batch.keyspaces == 0 { Ok(*position) } else { self.commit_always(batch, position, next) }
    }

    /// Writes a batch as the commit after `head`, even if nothing is in it.
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

    /// Makes everything written durable.
    pub(super) fn sync(&self) -> fjall::Result<()> {
        self.db.persist(PersistMode::SyncData)
    }

    /// How far the store is, by what it holds.
    pub(super) fn position(&self) -> fjall::Result<Option<CommitPosition>> {
        let value = self.meta.get(RECORD_KEY)?;
        Ok(value.and_then(|value| CommitRecord::decode(&value).ok()).map(|record| record.position()))
    }

    /// How many rows were removed whose space is not given back yet, as far as that came to table files.
    pub(super) fn tombstones(&self) -> u64 {
        self.rows.tree.tombstone_count()
    }

    /// Bytes of the rows' table files.
    pub(super) fn table_bytes(&self) -> u64 {
        self.rows.tree.disk_space()
    }

    /// Merges all table files of the rows into one level, without those that were removed; false when they are too large
    /// for that. Until it is done the engine's threads merge nothing, and commits wait once thirty memtables were
    /// written: so it is only for as many bytes as are read in seconds.
    pub(super) fn merge_all(&self) -> fjall::Result<bool> {
        if self.table_bytes() > MOST_MERGED {
            return Ok(false);
        }
        let removed_before = self.db.supervisor.snapshot_tracker.get_seqno_safe_to_gc();
        self.rows.tree.major_compact(MERGED_TABLE, removed_before)?;
        Ok(true)
    }

    /// How many rows a space has.
    pub(super) fn count(&self, keyspace: Keyspace) -> fjall::Result<u64> {
        let rows = self.keyspace(keyspace).iter();
        rows.map(Guard::key).try_fold(0, |count, key| Ok(count + u64::from(&*key? != NUMBER_KEY)))
    }

    /// The user's rows from `first` to `last`, in order.
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

    /// The sequences of the user's rows from `first` to `last`, in order.
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

    /// Whether its own threads have nothing to do.
    pub(super) fn is_at_rest(&self) -> bool {
        self.db.outstanding_flushes() == 0 && self.db.active_compactions() == 0
    }
}

/// The present engine, which is replaced when it has to be reopened.
#[derive(Default)]
pub(super) struct EngineCell(RwLock<Option<Arc<Engine>>>);

impl EngineCell {
    /// The engine, unless it is being reopened or closed. Must not be kept across an await.
    pub(super) fn get(&self) -> Option<Arc<Engine>> {
        self.0.read().ignore_poison().clone()
    }

    pub(super) fn set(&self, engine: Engine) {
        *self.0.write().ignore_poison() = Some(Arc::new(engine));
    }

    /// Closes the engine, once nobody reads any more. False when somebody still does after a while.
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

/// Where a new engine is until it is finished, and one that a repair makes.
pub(super) const NEW: &str = "engine.new";
pub(super) const REPAIRED: &str = "engine.repaired";

/// Where in a store's directory the engine is.
pub(super) fn directory(store: &Path) -> PathBuf {
    store.join("engine")
}

/// Bytes free for us on the disk of `directory`; all there can be when that is not to be found out.
pub(super) fn free_bytes(directory: &Path) -> u64 {
    rustix::fs::statvfs(directory).map_or(u64::MAX, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
}
