//! The history in the embedded store: sessions, and the events of notifications.
//!
//! Callers put changes into a queue and never wait; one task, the [`Writer`], writes them in batches and without a
//! sync. If the queue is full or the store fails, entries are lost and counted. A second task, [`run_sweeper`], deletes
//! expired rows, which it finds by an index of their times. Clients have a share of the payloads.

mod payload_share;
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
use tidings_budget::Allowance;
use tidings_store::{Store, Table, TableRows};
use tokio::sync::{mpsc, oneshot};
use ws_edge::ports::HistoryPage;

use payload_share::PayloadShare;
pub use sweep::run_sweeper;
pub use writer::Writer;

/// Maximum size of the changes in the queue.
const QUEUE_BYTES: usize = 16 * 1024 * 1024;
/// Size of the rows from which on a page takes no further one, so that a read takes little memory. A frame has at most an
/// eighth of it.
const MAX_READ_BYTES: usize = 1024 * 1024;
/// Approximate size of an entry in memory, without its payload.
const ENTRY_BYTES: usize = 512;

/// A change of the history.
#[derive(Debug)]
enum Change {
    Messages(Vec<MessageRow>),
    Opened(Box<SessionRow>),
    Closed {
        user: UserId,
        session: SessionKey,
        closed_at: Timestamp,
    },
    /// A request to answer when everything before it is written or lost.
    Flush(oneshot::Sender<()>),
}

impl Change {
    /// Number of entries it writes.
    const fn entries(&self) -> usize {
        match self {
            Self::Messages(rows) => rows.len(),
            Self::Opened(_) | Self::Closed { .. } => 1,
            Self::Flush(_) => 0,
        }
    }

    /// Approximate size in memory.
    fn bytes(&self) -> usize {
        let payloads = match self {
            Self::Messages(rows) => rows.iter().filter_map(|row| row.payload.as_ref()).map(String::len).sum(),
            _ => 0,
        };
        payloads + self.entries() * ENTRY_BYTES
    }
}

/// The history in the embedded store. Clones share it.
#[derive(Clone)]
pub struct StoredHistory<K: Clock + 'static> {
    table: Table<K>,
    queue: mpsc::UnboundedSender<Change>,
    /// Size of the changes in the queue.
    queued_bytes: Arc<AtomicUsize>,
    payload_share: Arc<PayloadShare>,
    policy: HistoryPolicy,
    clock: K,
}

impl<K: Clock + 'static> std::fmt::Debug for StoredHistory<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredHistory").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// The queue is full.
#[derive(Debug, thiserror::Error)]
#[error("{QUEUE_BYTES} bytes of the history are waiting to be written")]
struct Full;

impl<K: Clock + Clone + 'static> StoredHistory<K> {
    /// Makes the history of a store, and its writer, which the caller must run. Of what each client sends, it keeps
    /// payloads of so many bytes as `of_client` allows.
    pub fn new(
        store: &Store<K>,
        policy: HistoryPolicy,
        of_client: Option<Allowance>,
        clock: K,
    ) -> (Self, Writer<K>) {
        let (queue, changes) = mpsc::unbounded_channel();
        let table = store.table("history");
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let writer = Writer::new(table.clone(), changes, Arc::clone(&queued_bytes));
        let payload_share = Arc::new(PayloadShare::new(of_client));
        (Self { table, queue, queued_bytes, payload_share, policy, clock }, writer)
    }
}

impl<K: Clock + 'static> StoredHistory<K> {
    /// Puts a change into the queue. A change that comes after the writer has ended is lost, as by a crash.
    fn enqueue(&self, change: Change) -> Result<(), Full> {
        let bytes = change.bytes();
        let add = |queued: usize| queued.checked_add(bytes).filter(|after| *after <= QUEUE_BYTES);
        match self.queued_bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, add) {
            Ok(_) => {
                _ = self.queue.send(change);
                Ok(())
            }
            Err(_) => Err(Full),
        }
    }

    /// Waits until everything recorded before is written.
    async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.queue.send(Change::Flush(done)).is_ok() {
            // If the writer has ended, there is nothing to wait for.
            _ = written.await;
        }
    }

    /// Reads a page of a user's rows whose entries begin with `prefix`, newest first.
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
            let read = self.table.last_within(&from, &end, limit + 1, MAX_READ_BYTES).await;
            let read = read.map_err(|source| PortError::retryable("reading the history", source))?;
            let TableRows { rows: mut found, is_cut } = read;
            let more = is_cut || found.len() > limit;
            found.truncate(limit);
            let oldest = found.last().map(|(key, _)| key.clone());
            // Expired rows are at the end, because all rows have the same lifetime.
            let (read, all_live) = rows::live(found, now, &ttl);
            match oldest {
                // None of these rows can be decoded.
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

    async fn record(&self, _: &UserId, mut rows: Vec<MessageRow>) {
        self.payload_share.apply(&mut rows, self.clock.moment());
        let change = Change::Messages(rows);
        let entries = change.entries();
        if let Err(Full) = self.enqueue(change) {
            count_history_failed(entries);
            tracing::debug!(entries, "the queue of the history is full; entries are lost");
        }
    }
}

impl<K: Clock + 'static> ws_edge::ports::History for StoredHistory<K> {
    fn lifetime(&self) -> Option<Duration> {
        Some(self.policy.lifetime)
    }

    async fn session_opened(&self, row: &SessionRow) -> Result<(), PortError> {
        let enqueued = self.enqueue(Change::Opened(Box::new(row.clone())));
        enqueued.map_err(|full| PortError::retryable("recording a session", full))
    }

    async fn session_closed(
        &self,
        user: &UserId,
        opened_at: Timestamp,
        connection: &ConnectionId,
        closed_at: Timestamp,
    ) -> Result<(), PortError> {
        let session = SessionKey::new(opened_at, connection.clone());
        let enqueued = self.enqueue(Change::Closed { user: user.clone(), session, closed_at });
        enqueued.map_err(|full| PortError::retryable("recording the end of a session", full))
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
