//! fjall: log-structured merge tree with a shared journal.

use std::path::Path;

use fjall::config::{BlockSizePolicy, CompressionPolicy};
use fjall::{
    CompressionType, Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode,
};

use super::{Engine, Result, Row, Tuning, Visit, Want};

/// A fjall database with the two keyspaces of the workload.
pub struct Fjall {
    db: Database,
    notifications: Keyspace,
    dedup: Keyspace,
    persist: PersistMode,
}

impl Fjall {
    /// Opens or creates the database in `dir`.
    pub fn open(dir: &Path, tuning: &Tuning) -> Result<Self> {
        const MIB: u64 = 1024 * 1024;
        let codec = if tuning.lz4 {
            CompressionType::Lz4
        } else {
            CompressionType::None
        };
        let options = |memtable: u64| {
            KeyspaceCreateOptions::default()
                .max_memtable_size(memtable)
                .data_block_size_policy(BlockSizePolicy::all(tuning.block_kb * 1024))
                .data_block_compression_policy(CompressionPolicy::all(codec))
                .expect_point_read_hits(true)
        };
        let db = Database::builder(dir.join("fjall"))
            .cache_size(tuning.cache_mb * MIB)
            .journal_compression(CompressionType::None)
            .max_journaling_size(tuning.journal_mb * MIB)
            .worker_threads(tuning.workers)
            .open()?;
        let notifications = db.keyspace("notifications", || options(tuning.memtable_mb * MIB))?;
        let dedup = db.keyspace("dedup", || options(8 * MIB))?;
        let persist = if tuning.sync_all {
            PersistMode::SyncAll
        } else {
            PersistMode::SyncData
        };
        Ok(Self {
            db,
            notifications,
            dedup,
            persist,
        })
    }
}

impl Engine for Fjall {
    fn commit(&self, rows: Vec<Row>, dedup: Row) -> Result<()> {
        let mut batch = OwnedWriteBatch::with_capacity(self.db.clone(), rows.len() + 1)
            .durability(Some(self.persist));
        for (key, value) in rows {
            batch.insert(&self.notifications, key, value);
        }
        batch.insert(&self.dedup, dedup.0, dedup.1);
        batch.commit()?;
        Ok(())
    }

    fn delete(&self, keys: Vec<Vec<u8>>) -> Result<()> {
        let mut batch = OwnedWriteBatch::with_capacity(self.db.clone(), keys.len())
            .durability(Some(PersistMode::Buffer));
        for key in keys {
            batch.remove(&self.notifications, key);
        }
        batch.commit()?;
        Ok(())
    }

    fn scan(
        &self,
        low: &[u8],
        high: &[u8],
        limit: usize,
        want: Want,
        visit: Visit<'_>,
    ) -> Result<usize> {
        let mut seen = 0;
        for guard in self.notifications.range(low..high).take(limit) {
            match want {
                Want::Keys => visit(&guard.key()?, &[]),
                Want::Rows => {
                    let (key, value) = guard.into_inner()?;
                    visit(&key, &value);
                }
            }
            seen += 1;
        }
        Ok(seen)
    }

    fn maintain(&mut self) -> Result<()> {
        self.notifications.rotate_memtable_and_wait()?;
        self.notifications.major_compact()?;
        self.dedup.rotate_memtable_and_wait()?;
        self.dedup.major_compact()?;
        Ok(())
    }
}
