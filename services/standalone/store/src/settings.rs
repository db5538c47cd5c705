//! Settings of the store.

use std::time::Duration;

use serde::Deserialize;

const MIB: u64 = 1024 * 1024;

/// Durability of an accepted notification when its producer gets the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// On disk: neither `kill -9` nor a power cut loses it.
    #[default]
    Synced,
    /// With the operating system: `kill -9` loses nothing, a power cut about the last second.
    Buffered,
}

/// The kind of sender of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A producer, or an operator.
    Producer,
    /// A client that sends to others.
    Client,
}

impl Origin {
    /// Returns the name in metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Client => "client",
        }
    }
}

/// Settings of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageSettings {
    /// Durability of accepted notifications.
    pub durability: Durability,
    /// Cache of blocks, in bytes.
    pub cache_bytes: u64,
    /// Memory for rows that are not in a table file yet, in bytes. The engine keeps the value of the first
    /// start.
    pub memtable_bytes: u64,
    /// Most journal on disk, in bytes; at least 64 MiB.
    pub journal_bytes: u64,
    /// Free disk space, in bytes, below which notifications are refused. The engine needs room for the
    /// journal, four memtables and a compaction to recover from a full disk by itself.
    pub reserve_bytes: u64,
    /// Free disk space, in bytes beside `reserve_bytes`, below which notifications of clients are refused. So clients
    /// can't use up what producers need.
    pub client_reserve_bytes: u64,
    /// Number of notifications from which on a commit takes no further request. A request is not split.
    pub commit_entries: usize,
    /// Number of removed rows from which on their space is reclaimed, if they are also at least as many as
    /// the stored rows.
    pub reclaim_rows: u64,
    /// Most bytes of notifications that wait for their commit. Further callers wait until there is room.
    pub waiting_bytes: usize,
    /// Most entries of one lease.
    pub run_entries: usize,
    /// Most bytes of one lease, unless its first entry alone has more.
    pub run_bytes: usize,
    /// Most queued notifications of one user in memory. Those behind them are read back from disk.
    pub hot_entries: usize,
    /// Most bytes of queued notifications in memory, for all users, and most bytes of pending records on
    /// disk.
    pub hot_bytes: usize,
    /// Deduplication window: time in which a repeated id is ignored.
    pub dedup_window: Duration,
    /// Most ids of producers in the deduplication window; beyond it the oldest are forgotten early. An id takes 45 to 75
    /// bytes of memory, so the window needs at most 75 bytes × the smaller of this and (ids accepted in a
    /// second × the window in seconds).
    pub dedup_entries: usize,
    /// Most ids of clients' messages in the deduplication window; beyond it the oldest of them are forgotten early.
    pub client_dedup_entries: usize,
    /// Number of failed deliveries at which a notification becomes a dead letter.
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
            client_reserve_bytes: 512 * MIB,
            commit_entries: 4_096,
            reclaim_rows: 200_000,
            waiting_bytes: 64 * 1024 * 1024,
            run_entries: 256,
            run_bytes: 1024 * 1024,
            hot_entries: 1_024,
            hot_bytes: 64 * 1024 * 1024,
            dedup_window: Duration::from_mins(5),
            dedup_entries: 2_000_000,
            client_dedup_entries: 200_000,
            max_receive_count: 100,
        }
    }
}
