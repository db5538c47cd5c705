//! The tokens and signatures of handshakes: unused connect tokens in memory, used signatures on disk too.
//!
//! A signature is good for five minutes either way of its time. A restart within them must not make it good
//! again, so what was used is stored before the handshake is answered.
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use auth_token::ports::TokenStore;
use contract_identity_v1::TokenRow;
use shared_ports::{Clock, PortError};
use tidings_store::{StoreError, Table};

use super::tokens::MemoryTokens;

/// Most signatures within the ten minutes in which one may be good: some 600 signed handshakes a second, in
/// about 120 MB. Further ones are refused until some have ended.
const CAPACITY: usize = 400_000;

/// Rows that are deleted for each that is added, so that the table shrinks to what is needed.
const DELETED_PER_ROW: usize = 2;

/// The tables behind handshakes.
pub struct LocalTokens<K: Clock + 'static> {
    tokens: MemoryTokens<K>,
    used: MemoryTokens<K>,
    table: Table<K>,
    /// What is in the table, in the order in which it ends.
    stored: Mutex<BTreeSet<(u64, String)>>,
    clock: K,
}

impl<K: Clock + 'static> std::fmt::Debug for LocalTokens<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalTokens").field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

impl<K: Clock + Clone + 'static> LocalTokens<K> {
    /// With the table of used signatures as it was left.
    ///
    /// # Errors
    /// [`StoreError`] when it can't be read.
    pub fn open(tokens: MemoryTokens<K>, table: Table<K>, clock: K) -> Result<Self, StoreError> {
        let mut rows = Vec::new();
        for (hash, ttl) in table.list()? {
            // A row is written whole or not at all.
            if let (Ok(hash), Ok(ttl)) = (String::from_utf8(hash), <[u8; 8]>::try_from(ttl)) {
                rows.push((u64::from_be_bytes(ttl), hash));
            }
        }
        let used = MemoryTokens::with_rows(CAPACITY, clock.clone(), &rows);
        Ok(Self { tokens, used, table, stored: Mutex::new(rows.into_iter().collect()), clock })
    }

    /// Some rows that have ended; they are no longer counted as stored.
    fn ended(&self) -> Vec<String> {
        let now = self.clock.now().millis() / 1000;
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ended = Vec::new();
        while ended.len() < DELETED_PER_ROW
            && stored.first().is_some_and(|(ttl, _)| *ttl <= now)
            && let Some((_, hash)) = stored.pop_first()
        {
            ended.push(hash);
        }
        ended
    }
}

fn failed(error: StoreError) -> PortError {
    PortError::retryable("claiming a signature", error)
}

impl<K: Clock + Clone + 'static> TokenStore for LocalTokens<K> {
    async fn put(&self, row: TokenRow) -> Result<(), PortError> {
        self.tokens.put(row).await
    }

    async fn take(&self, token_hash: &str) -> Result<Option<TokenRow>, PortError> {
        self.tokens.take(token_hash).await
    }

    async fn claim(&self, row: TokenRow) -> Result<bool, PortError> {
        let TokenRow { token_hash: hash, ttl, .. } = row.clone();
        if !self.used.claim(row).await? {
            return Ok(false);
        }
        if let Err(error) = self.table.put(hash.as_bytes(), &ttl.to_be_bytes()).await {
            // The handshake fails; its client may try it again.
            self.used.take(&hash).await?;
            return Err(failed(error));
        }
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).insert((ttl, hash));
        for hash in self.ended() {
            self.table.delete(hash.as_bytes()).await.map_err(failed)?;
        }
        Ok(true)
    }
}
