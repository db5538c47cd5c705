//! The table that makes connect tokens and signatures of handshakes single-use.
//!
//! Unused connect tokens are in memory. Used signatures are on disk too: a signature is valid for five
//! minutes before and after its time, and a restart in between must not make it valid again. So a signature
//! is stored before its handshake is answered.
//!
//! Locks are held for single operations on memory, never across an await.

use std::collections::BTreeSet;
use std::sync::Mutex;

use auth_token::ports::{Revocation, TokenStore};
use contract_identity_v1::TokenRow;
use contract_notifications_v1::UserId;
use shared_ports::{Clock, PortError};
use shared_sync::IgnorePoison as _;
use tidings_store::{StoreError, Table};

use super::revocations::Revocations;
use super::tokens::MemoryTokens;

/// Most used signatures at a time. Over the ten minutes in which a signature can be valid, this is about 600
/// signed handshakes per second, in about 120 MB. Further handshakes are refused until signatures expire.
const CAPACITY: usize = 400_000;

/// Expired rows deleted for each row added, so that the table shrinks.
const DELETED_PER_ROW: usize = 2;

/// Unused connect tokens and used signatures.
pub struct SingleUseTokens<K: Clock + 'static> {
    tokens: MemoryTokens<K>,
    used_signatures: MemoryTokens<K>,
    table: Table<K>,
    /// Rows of the table, by expiry.
    stored: Mutex<BTreeSet<(u64, String)>>,
    clock: K,
    revocations: Option<Revocations<Table<K>>>,
}

impl<K: Clock + 'static> std::fmt::Debug for SingleUseTokens<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SingleUseTokens").field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

impl<K: Clock + Clone + 'static> SingleUseTokens<K> {
    /// Opens the table, which contains the used signatures of earlier runs.
    ///
    /// # Errors
    /// [`StoreError`] if the table can't be read.
    pub fn open(tokens: MemoryTokens<K>, table: Table<K>, clock: K) -> Result<Self, StoreError> {
        let mut rows = Vec::new();
        for (hash, ttl) in table.list()? {
            // Rows are written atomically, so all of them have this form.
            if let (Ok(hash), Ok(ttl)) = (String::from_utf8(hash), <[u8; 8]>::try_from(ttl)) {
                rows.push((u64::from_be_bytes(ttl), hash));
            }
        }
        let used_signatures = MemoryTokens::with_rows(CAPACITY, clock.clone(), &rows);
        Ok(Self {
            tokens,
            used_signatures,
            table,
            stored: Mutex::new(rows.into_iter().collect()),
            clock,
            revocations: None,
        })
    }

    /// Answers with these revocations, which are none otherwise.
    #[must_use]
    pub fn with_revocations(self, revocations: Revocations<Table<K>>) -> Self {
        Self { revocations: Some(revocations), ..self }
    }

    /// Takes up to [`DELETED_PER_ROW`] expired rows out of `stored`.
    fn take_expired(&self) -> Vec<String> {
        let now = self.clock.now().millis() / 1000;
        let mut stored = self.stored.lock().ignore_poison();
        let mut expired = Vec::new();
        while expired.len() < DELETED_PER_ROW
            && stored.first().is_some_and(|(ttl, _)| *ttl <= now)
            && let Some((_, hash)) = stored.pop_first()
        {
            expired.push(hash);
        }
        expired
    }
}

fn failed(error: StoreError) -> PortError {
    PortError::retryable("claiming a signature", error)
}

impl<K: Clock + Clone + 'static> TokenStore for SingleUseTokens<K> {
    async fn put(&self, row: TokenRow) -> Result<(), PortError> {
        self.tokens.put(row).await
    }

    async fn take(&self, token_hash: &str) -> Result<Option<TokenRow>, PortError> {
        self.tokens.take(token_hash).await
    }

    async fn revocation(&self, user: &UserId, token_id: Option<&str>) -> Result<Revocation, PortError> {
        let revocations = self.revocations.as_ref();
        Ok(revocations.map_or_else(Revocation::default, |revocations| revocations.find(user, token_id)))
    }

    async fn claim(&self, row: TokenRow) -> Result<bool, PortError> {
        let TokenRow { token_hash: hash, ttl, .. } = row.clone();
        if !self.used_signatures.claim(row).await? {
            return Ok(false);
        }
        // Before the write: if the caller goes away during it, the row is still known, and deleted when it expires.
        self.stored.lock().ignore_poison().insert((ttl, hash.clone()));
        if let Err(error) = self.table.put(hash.as_bytes(), &ttl.to_be_bytes()).await {
            // The handshake fails, and its client may retry it.
            self.used_signatures.take(&hash).await?;
            return Err(failed(error));
        }
        for hash in self.take_expired() {
            self.table.delete(hash.as_bytes()).await.map_err(failed)?;
        }
        Ok(true)
    }
}
