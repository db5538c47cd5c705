//! A table of tokens in memory.
//!
//! Unused connect tokens need no durability: a token is valid for 30 seconds. A restart invalidates
//! outstanding tokens, and their clients request new ones. One lock guards the table, for single operations
//! only.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use auth_token::ports::TokenStore;
use contract_identity_v1::TokenRow;
use contract_notifications_v1::{Timestamp, Version1};
use metrics::counter;
use shared_ports::{Clock, PortError};
use shared_sync::IgnorePoison as _;

/// Default capacity for unused connect tokens. With a lifetime of 30 seconds, this is about 3,300 handshakes
/// per second, in about 30 MB.
pub const DEFAULT_CAPACITY: usize = 100_000;

/// A table of tokens in memory. Clones share it.
#[derive(Clone)]
pub struct MemoryTokens<K> {
    table: Arc<Mutex<Table>>,
    capacity: usize,
    clock: K,
}

impl<K> fmt::Debug for MemoryTokens<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTokens").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

/// The table is full.
#[derive(Debug, thiserror::Error)]
#[error("the table is full with {capacity} rows; retry when some have expired")]
struct Full {
    capacity: usize,
}

#[derive(Default)]
struct Table {
    rows: HashMap<Arc<str>, TokenRow>,
    /// The same rows by expiry.
    by_expiry: BTreeSet<(u64, Arc<str>)>,
}

impl Table {
    fn prune(&mut self, now: Timestamp) {
        while let Some((ttl, _)) = self.by_expiry.first()
            && *ttl <= now.millis() / 1000
            && let Some((_, hash)) = self.by_expiry.pop_first()
        {
            self.rows.remove(&hash);
        }
    }

    fn put(&mut self, row: TokenRow) {
        let hash: Arc<str> = row.token_hash.as_str().into();
        let ttl = row.ttl;
        if let Some(former) = self.rows.insert(Arc::clone(&hash), row) {
            self.by_expiry.remove(&(former.ttl, Arc::clone(&hash)));
        }
        self.by_expiry.insert((ttl, hash));
    }

    fn take(&mut self, hash: &str) -> Option<TokenRow> {
        let (hash, row) = self.rows.remove_entry(hash)?;
        self.by_expiry.remove(&(row.ttl, hash));
        Some(row)
    }
}

impl<K: Clock> MemoryTokens<K> {
    /// Returns an empty table for at most `capacity` tokens.
    pub fn new(capacity: usize, clock: K) -> Self {
        Self { table: Arc::default(), capacity, clock }
    }

    /// Returns a table with `rows`, each a TTL and a hash.
    pub(crate) fn with_rows(capacity: usize, clock: K, rows: &[(u64, String)]) -> Self {
        let tokens = Self::new(capacity, clock);
        let mut table = tokens.lock();
        for (ttl, hash) in rows {
            table.put(TokenRow { version: Version1, token_hash: hash.clone(), ttl: *ttl });
        }
        drop(table);
        tokens
    }

    /// Returns the largest number of tokens.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Returns the number of tokens that have not expired.
    pub fn live(&self) -> usize {
        let now = self.clock.now();
        let mut table = self.lock();
        table.prune(now);
        table.rows.len()
    }

    /// Returns the number of tokens. Some may have expired.
    pub fn len(&self) -> usize {
        self.lock().rows.len()
    }

    /// Returns true if the table is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Locks the table. A poisoned lock is fine: no method of [`Table`] panics between its changes.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().ignore_poison()
    }
}

impl<K: Clock> TokenStore for MemoryTokens<K> {
    async fn put(&self, row: TokenRow) -> Result<(), PortError> {
        let now = self.clock.now();
        let mut table = self.lock();
        table.prune(now);
        if table.rows.len() >= self.capacity {
            counter!("tidings_full_tables_total", "table" => "connect-tokens").increment(1);
            return Err(PortError::retryable("storing a token", Full { capacity: self.capacity }));
        }
        table.put(row);
        Ok(())
    }

    async fn take(&self, token_hash: &str) -> Result<Option<TokenRow>, PortError> {
        Ok(self.lock().take(token_hash))
    }

    async fn claim(&self, row: TokenRow) -> Result<bool, PortError> {
        let now = self.clock.now();
        let mut table = self.lock();
        table.prune(now);
        if table.rows.contains_key(row.token_hash.as_str()) {
            return Ok(false);
        }
        if table.rows.len() >= self.capacity {
            counter!("tidings_full_tables_total", "table" => "used-signatures").increment(1);
            return Err(PortError::retryable("claiming a signature", Full { capacity: self.capacity }));
        }
        table.put(row);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::*;

    /// A clock set by the test, in seconds.
    #[derive(Clone, Default)]
    struct TestClock(Arc<AtomicU64>);

    impl Clock for TestClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Ordering::SeqCst) * 1000)
        }

        async fn sleep(&self, _: Duration) {}
    }

    fn row(hash: &str, ttl: u64) -> TokenRow {
        TokenRow { version: Version1, token_hash: hash.to_owned(), ttl }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn concurrent_takes_get_the_row_once() {
        let tokens = MemoryTokens::new(10, TestClock::default());
        tokens.put(row("a", 30)).await.unwrap();
        tokens.put(row("b", 30)).await.unwrap();
        let takes: Vec<_> = (0..1000)
            .map(|_| {
                let tokens = tokens.clone();
                tokio::spawn(async move { tokens.take("a").await.unwrap() })
            })
            .collect();
        let mut found = Vec::new();
        for take in takes {
            found.extend(take.await.unwrap());
        }
        assert_eq!(found, [row("a", 30)]);
        assert_eq!(tokens.len(), 1);
    }

    #[tokio::test]
    async fn full_table_refuses_rows_until_one_expires() {
        let clock = TestClock::default();
        let tokens = MemoryTokens::new(2, clock.clone());
        tokens.put(row("later", 40)).await.unwrap();
        tokens.put(row("sooner", 30)).await.unwrap();
        clock.0.store(29, Ordering::SeqCst);
        assert!(tokens.put(row("new", 59)).await.unwrap_err().is_retryable());
        clock.0.store(30, Ordering::SeqCst);
        tokens.put(row("new", 60)).await.unwrap();
        assert_eq!(tokens.take("sooner").await.unwrap(), None);
        assert_eq!(tokens.take("later").await.unwrap(), Some(row("later", 40)));
        assert_eq!(tokens.take("new").await.unwrap(), Some(row("new", 60)));
        assert!(tokens.is_empty() && tokens.lock().by_expiry.is_empty());
    }

    #[tokio::test]
    async fn full_table_claims_no_signature_until_one_expires() {
        let clock = TestClock::default();
        let signatures = MemoryTokens::new(1, clock.clone());
        assert!(signatures.claim(row("used", 30)).await.unwrap());
        assert!(signatures.claim(row("new", 30)).await.unwrap_err().is_retryable());
        // One that is used already is known for certain.
        assert!(!signatures.claim(row("used", 30)).await.unwrap());
        clock.0.store(30, Ordering::SeqCst);
        assert!(signatures.claim(row("new", 60)).await.unwrap());
    }

    #[tokio::test]
    async fn replaced_row_expires_at_its_new_time() {
        let clock = TestClock::default();
        let tokens = MemoryTokens::new(10, clock.clone());
        tokens.put(row("a", 30)).await.unwrap();
        tokens.put(row("a", 60)).await.unwrap();
        clock.0.store(30, Ordering::SeqCst);
        tokens.put(row("b", 60)).await.unwrap();
        assert_eq!(tokens.take("a").await.unwrap(), Some(row("a", 60)));
        assert_eq!(tokens.take("b").await.unwrap(), Some(row("b", 60)));
        assert!(tokens.lock().by_expiry.is_empty());
    }

    #[tokio::test]
    async fn debug_shows_no_row() {
        let tokens = MemoryTokens::new(10, TestClock::default());
        tokens.put(row("hash", 30)).await.unwrap();
        assert!(!format!("{tokens:?}").contains("hash"));
    }
}
