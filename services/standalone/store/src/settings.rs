//! How the store works.

use std::time::Duration;

use serde::Deserialize;

const MIB: u64 = 1024 * 1024;

/// When an accepted notification is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// When it is on disk: neither `kill -9` nor a power cut loses it.
    #[default]
    Synced,
    /// When the operating system has it: `kill -9` loses nothing, a power cut about the last second.
    Buffered,
}

/// How the store works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageSettings {
    /// When an accepted notification is answered.
    pub durability: Durability,
    /// Cache of blocks read, in bytes.
    pub cache_bytes: u64,
    /// Memory for rows not yet in a table file, in bytes. The engine keeps the value of the directory's
    /// first opening.
    pub memtable_bytes: u64,
    /// Most journal kept on disk, in bytes; at least 64 MiB.
    pub journal_bytes: u64,
    /// Nothing is accepted while less than this is free on the disk, in bytes. The engine needs room for
    /// the journal, four memtables and a compaction to get over a full disk by itself.
    pub reserve_bytes: u64,
    /// Most notifications taken into one commit; a request is not split.
    pub commit_entries: usize,
    /// From so many removed rows on, and when they are more than those stored, their space is given back at once.
    pub reclaim_rows: u64,
    /// Most bytes of notifications waiting for their commit; producers beyond that wait before it.
    pub waiting_bytes: usize,
    /// Most entries of one run.
    pub run_entries: usize,
    /// Most bytes of one run, unless its first entry alone has more.
    pub run_bytes: usize,
    /// Most queued notifications of one user kept in memory; those behind them are read back from disk.
    pub hot_entries: usize,
    /// Most bytes of queued notifications of all users kept in memory.
    pub hot_bytes: usize,
    /// How long a second acceptance of the same id is recognised.
    pub dedup_window: Duration,
    /// Most ids remembered; beyond that the oldest are forgotten early. An id takes 45 to 75 bytes of
    /// memory, so the memory needed is at most 75 bytes × the smaller of this and (accepts with an id of
    /// the producer's per second × the window in seconds).
    pub dedup_entries: usize,
    /// An entry that failed this often becomes a dead letter.
    pub max_receive_count: u32,
}

impl Default for StorageSettings {
    fn default() -> Self {
        Self {
            durability: Durability::Synced,
            cache_bytes: 64 * MIB,
            memtable_bytes: 64 * MIB,
            journal_bytes: 128 * MIB,
            reserve_bytes: 512 * MIB,
            commit_entries: 4_096,
            reclaim_rows: 200_000,
            waiting_bytes: 64 * 1024 * 1024,
            run_entries: 256,
            run_bytes: 1024 * 1024,
            hot_entries: 1_024,
            hot_bytes: 64 * 1024 * 1024,
            dedup_window: Duration::from_mins(5),
            dedup_entries: 2_000_000,
            max_receive_count: 100,
        }
    }
}
