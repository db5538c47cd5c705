//! The history in the embedded store: sessions, and what became of notifications.
//!
//! Whoever records something leaves it in a queue and goes on; one task ([`Writer`]) writes what has come
//! together, without a sync of its own. When the queue is full, or nothing can be written, entries are lost and
//! counted. Expired rows are found by an index of their times ([`run_sweeper`]).

mod rows;
mod sweep;
mod writer;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use contract_connections_v1::ConnectionId;
use contract_history_v1::{MessageKey, MessageRow, PageRequest, SessionKey, SessionRow};
use contract_notifications_v1::{Timestamp, UserId};
use dispatcher::count_history_failed;
use dispatcher::ports::HistoryPolicy;
use serde::de::DeserializeOwned;
use shared_ports::{Clock, PortError};
use tidings_store::{Store, Table};
use tokio::sync::{mpsc, oneshot};
use ws_edge::ports::HistoryPage;

pub use sweep::run_sweeper;
pub use writer::Writer;

/// Most bytes that wait to be written.
const WAITING_BYTES: usize = 16 * 1024 * 1024;
/// What an entry takes in memory besides its texts, about.
const ENTRY_BYTES: usize = 512;

/// Something to be written.
#[derive(Debug)]
enum Change {
    Messages(Vec<MessageRow>),
    Opened(Box<SessionRow>),
    Closed {
        user: UserId,
        session: SessionKey,
        closed_at: Timestamp,
    },
    /// Answered once everything before it is written, or lost.
    Flush(oneshot::Sender<()>),
}

impl Change {
    /// How many entries of the history it is.
    const fn entries(&self) -> usize {
        match self {
            Self::Messages(rows) => rows.len(),
            Self::Opened(_) | Self::Closed { .. } => 1,
            Self::Flush(_) => 0,
        }
    }

    /// What it takes in memory, about.
    fn bytes(&self) -> usize {
        let payloads = match self {
            Self::Messages(rows) => rows.iter().filter_map(|row| row.payload.as_ref()).map(String::len).sum(),
            _ => 0,
        };
        payloads + self.entries() * ENTRY_BYTES
    }
}

/// The history in the embedded store. Clones are the same.
#[derive(Clone)]
pub struct StoredHistory<K: Clock + 'static> {
    table: Table<K>,
    queue: mpsc::UnboundedSender<Change>,
    /// Bytes in the queue.
    waiting: Arc<AtomicUsize>,
    policy: HistoryPolicy,
    clock: K,
}

impl<K: Clock + 'static> std::fmt::Debug for StoredHistory<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredHistory").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// Too much waits to be written.
#[derive(Debug, thiserror::Error)]
#[error("{WAITING_BYTES} bytes of the history wait to be written")]
struct Full;

impl<K: Clock + Clone + 'static> StoredHistory<K> {
    /// The history of a store, and the task that writes it, which the caller has to run.
    pub fn new(store: &Store<K>, policy: HistoryPolicy, clock: K) -> (Self, Writer<K>) {
        let (queue, changes) = mpsc::unbounded_channel();
        let table = store.table("history");
        let waiting = Arc::new(AtomicUsize::new(0));
        let writer = Writer::new(table.clone(), changes, Arc::clone(&waiting));
        (Self { table, queue, waiting, policy, clock }, writer)
    }
}

impl<K: Clock + 'static> StoredHistory<K> {
    /// Leaves a change for the writer. One that is lost with a writer that ended is lost as those are that a
    /// crash loses.
    fn leave(&self, change: Change) -> Result<(), Full> {
        let bytes = change.bytes();
        let room = |waiting: usize| waiting.checked_add(bytes).filter(|after| *after <= WAITING_BYTES);
        match self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, room) {
            Ok(_) => {
                _ = self.queue.send(change);
                Ok(())
            }
            Err(_) => Err(Full),
        }
    }

    /// Waits until what was recorded before is written.
    async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.queue.send(Change::Flush(done)).is_ok() {
            // Without a writer there is nothing to wait for.
            _ = written.await;
        }
    }

    /// A page of the rows whose entries begin with `prefix`.
    async fn page<Row: DeserializeOwned>(
        &self,
        user: &UserId,
        prefix: &str,
        before: Option<String>,
        limit: usize,
        ttl: impl Fn(&Row) -> u64,
    ) -> Result<HistoryPage<Row>, PortError> {
        self.flush().await;
        let now = self.clock.now();
        let from = rows::row_key(user, prefix);
        let mut end = before.map_or_else(|| rows::after(&from), |before| rows::row_key(user, &before));
        loop {
            let read = self.table.last(&from, &end, limit + 1);
            let mut found = read.map_err(|source| PortError::retryable("reading the history", source))?;
            let more = found.len() > limit;
            found.truncate(limit);
            let oldest = found.last().map(|(key, _)| key.clone());
            // What is too old is at the end, as all rows are kept equally long.
            let (read, all_live) = rows::live(found, now, &ttl);
            match oldest {
                // None of them can be read.
                Some(oldest) if read.is_empty() && more && all_live => end = oldest,
                _ => {
                    let more = more && all_live && !read.is_empty();
                    return Ok(HistoryPage { rows: read, more });
                }
            }
        }
    }
}

impl<K: Clock + 'static> dispatcher::ports::History for StoredHistory<K> {
    fn policy(&self) -> Option<HistoryPolicy> {
        Some(self.policy)
    }

    async fn record(&self, _: &UserId, rows: Vec<MessageRow>) {
        let change = Change::Messages(rows);
        let entries = change.entries();
        if let Err(Full) = self.leave(change) {
            count_history_failed(entries);
            tracing::debug!(entries, "too much of the history waits to be written");
        }
    }
}

impl<K: Clock + 'static> ws_edge::ports::History for StoredHistory<K> {
    fn lifetime(&self) -> Option<Duration> {
        Some(self.policy.lifetime)
    }

    async fn session_opened(&self, row: &SessionRow) -> Result<(), PortError> {
        let left = self.leave(Change::Opened(Box::new(row.clone())));
        left.map_err(|full| PortError::retryable("recording a session", full))
    }

    async fn session_closed(
        &self,
        user: &UserId,
        opened_at: Timestamp,
        connection: &ConnectionId,
        closed_at: Timestamp,
    ) -> Result<(), PortError> {
        let session = SessionKey::new(opened_at, connection.clone());
        let left = self.leave(Change::Closed { user: user.clone(), session, closed_at });
        left.map_err(|full| PortError::retryable("recording the end of a session", full))
    }

    async fn sessions(
        &self,
        user: &UserId,
        page: &PageRequest<SessionKey>,
    ) -> Result<HistoryPage<SessionRow>, PortError> {
        let before = page.before.as_ref().map(ToString::to_string);
        self.page(user, SessionKey::PREFIX, before, page.limit, |row: &SessionRow| row.ttl).await
    }

    async fn messages(
        &self,
        user: &UserId,
        page: &PageRequest<MessageKey>,
    ) -> Result<HistoryPage<MessageRow>, PortError> {
        let before = page.before.as_ref().map(ToString::to_string);
        self.page(user, MessageKey::PREFIX, before, page.limit, |row: &MessageRow| row.ttl).await
    }
}

#[cfg(test)]
mod tests;
