//! The storage engine and its keyspaces.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use contract_notifications_v1::UserId;
use fjall::config::CompressionPolicy;
use fjall::{
    CompressionType, Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Slice,
};

use super::codec::{Reader, Seq, key_seq, row_key};
use super::settings::StorageSettings;

/// Memory for rows of the small keyspaces not yet in a table file.
const SMALL_MEMTABLE: u64 = 8 * 1024 * 1024;
/// Where the head stands in its keyspace.
const HEAD_KEY: &[u8] = b"head";
const HEAD_FORMAT: u8 = 1;

/// An open database.
pub(super) struct Engine {
    db: Database,
    /// Notifications from acceptance until they are delivered, let go, or dead letters.
    pub(super) rows: Keyspace,
    /// Ids accepted lately, one record for each commit.
    pub(super) dedup: Keyspace,
    /// Dead letters by sequence.
    pub(super) dead: Keyspace,
    /// The rows of all [tables](super::Table).
    pub(super) tables: Keyspace,
    /// The head.
    pub(super) meta: Keyspace,
}

/// How far the store is, written with every commit that accepts something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// How many such commits there were.
    pub(super) commit: u64,
    /// The next sequence.
    pub(super) next: Seq,
}

impl Head {
    pub(super) fn encode(self) -> Vec<u8> {
        [&[HEAD_FORMAT], self.commit.to_be_bytes().as_slice(), self.next.to_be_bytes().as_slice()].concat()
    }

    /// Reads what [`Head::encode`] wrote; what is none gives the format it has.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, u8> {
        let mut reader = Reader(bytes);
        let format = reader.byte().unwrap_or(0);
        match (format, reader.number(), reader.number()) {
            (HEAD_FORMAT, Ok(commit), Ok(next)) => Ok(Self { commit, next }),
            _ => Err(format),
        }
    }
}

/// Why the head can't be read.
pub(super) enum HeadError {
    Engine(fjall::Error),
    Format(u8),
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
        // during a compaction. More than two only compete for the processors.
        let db = Database::builder(directory)
            .cache_size(settings.cache_bytes)
            .journal_compression(CompressionType::None)
            .max_journaling_size(settings.journal_bytes)
            .worker_threads(2)
            .open()?;
        Ok(Self {
            rows: db.keyspace("notifications", || options(settings.memtable_bytes))?,
            dedup: db.keyspace("dedup", || options(SMALL_MEMTABLE))?,
            dead: db.keyspace("dead-letters", || options(SMALL_MEMTABLE))?,
            tables: db.keyspace("tables", || options(SMALL_MEMTABLE))?,
            meta: db.keyspace("meta", || options(SMALL_MEMTABLE))?,
            db,
        })
    }

    pub(super) fn batch(&self, capacity: usize, mode: PersistMode) -> OwnedWriteBatch {
        OwnedWriteBatch::with_capacity(self.db.clone(), capacity).durability(Some(mode))
    }

    /// Makes everything written durable.
    pub(super) fn sync(&self) -> fjall::Result<()> {
        self.db.persist(PersistMode::SyncData)
    }

    pub(super) fn set_head(&self, batch: &mut OwnedWriteBatch, head: Head) {
        batch.insert(&self.meta, HEAD_KEY, head.encode());
    }

    pub(super) fn head(&self) -> Result<Head, HeadError> {
        let Some(value) = self.meta.get(HEAD_KEY).map_err(HeadError::Engine)? else {
            return Ok(Head { commit: 0, next: 1 });
        };
        Head::decode(&value).map_err(HeadError::Format)
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

/// The present engine, which is replaced when it has to be reopened.
#[derive(Default)]
pub(super) struct EngineCell(RwLock<Option<Arc<Engine>>>);

impl EngineCell {
    /// The engine, unless it is being reopened or closed. Must not be kept across an await.
    pub(super) fn get(&self) -> Option<Arc<Engine>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, engine: Engine) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(engine));
    }

    /// Closes the engine, once nobody reads any more. False when somebody still does after a while.
    pub(super) fn close(&self, patience: Duration) -> bool {
        let taken = self.0.write().unwrap_or_else(PoisonError::into_inner).take();
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
                    *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(still);
                    return false;
                }
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Where in a store's directory the engine is.
pub(super) fn directory(store: &Path) -> PathBuf {
    store.join("engine")
}

/// Bytes free for us on the disk of `directory`; all there can be when that is not to be found out.
pub(super) fn free_bytes(directory: &Path) -> u64 {
    rustix::fs::statvfs(directory).map_or(u64::MAX, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
}
