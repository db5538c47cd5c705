//! The table of unused connect tokens: in memory, on purpose. A token is good for half a minute; a restart
//! refuses those that are outstanding, and their clients ask for others.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auth_token::ports::TokenStore;
use contract_identity_v1::TokenRow;
use contract_notifications_v1::{Timestamp, Version1};
use shared_ports::{Clock, PortError};

/// Most unused tokens at a time, unless told otherwise: with a lifetime of 30 seconds, some 3,300 handshakes
/// a second, in about 30 MB.
pub const DEFAULT_CAPACITY: usize = 100_000;

/// The unused tokens of this process. Clones share them.
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

/// As many tokens are outstanding as there may be.
#[derive(Debug, thiserror::Error)]
#[error("{capacity} rows are in the table, as many as there may be; wait for some to expire")]
struct Full {
    capacity: usize,
}

#[derive(Default)]
struct Table {
    rows: HashMap<Arc<str>, TokenRow>,
    /// The same rows in the order in which they expire.
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
    /// An empty table for at most `capacity` tokens.
    pub fn new(capacity: usize, clock: K) -> Self {
        Self { table: Arc::default(), capacity, clock }
    }

    /// A table with rows by TTL and hash.
    pub(crate) fn with_rows(capacity: usize, clock: K, rows: &[(u64, String)]) -> Self {
        let tokens = Self::new(capacity, clock);
        let mut table = tokens.lock();
        for (ttl, hash) in rows {
            table.put(TokenRow { version: Version1, token_hash: hash.clone(), ttl: *ttl });
        }
        drop(table);
        tokens
    }

    /// How many tokens are unused; some may have expired.
    pub fn len(&self) -> usize {
        self.lock().rows.len()
    }

    /// Whether no token is unused.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// No caller can leave the table half changed: nothing in [`Table`] panics between its two parts.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clock> TokenStore for MemoryTokens<K> {
    async fn put(&self, row: TokenRow) -> Result<(), PortError> {
        let now = self.clock.now();
        let mut table = self.lock();
        table.prune(now);
        if table.rows.len() >= self.capacity {
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

    /// A clock that a test sets, in seconds.
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
    async fn of_a_thousand_takes_at_once_one_gets_the_row() {
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
    async fn a_full_table_takes_no_more_until_a_token_expires() {
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
    async fn a_row_put_again_expires_at_its_new_time() {
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
