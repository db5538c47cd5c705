//! The task that writes the history.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use contract_history_v1::SessionRow;
use dispatcher::count_history_failed;
use serde::Serialize;
use shared_ports::Clock;
use tidings_store::{StoreError, Table};
use tokio::sync::{mpsc, oneshot};

use super::{Change, rows};

/// Maximum number of changes in one write.
const CHANGES_AT_ONCE: usize = 256;

/// Rows to be stored and their index, by key.
type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// Writes the changes in the queue.
#[derive(Debug)]
pub struct Writer<K: Clock + 'static> {
    table: Table<K>,
    changes: mpsc::UnboundedReceiver<Change>,
    queued_bytes: Arc<AtomicUsize>,
    /// True if the last write failed. Further failures are then not logged, so that a full disk does not fill the
    /// log.
    failing: bool,
}

impl<K: Clock + 'static> Writer<K> {
    pub(super) const fn new(
        table: Table<K>,
        changes: mpsc::UnboundedReceiver<Change>,
        queued_bytes: Arc<AtomicUsize>,
    ) -> Self {
        Self { table, changes, queued_bytes, failing: false }
    }

    /// Writes until `shutdown` completes or all senders are dropped. Then it writes the rest of the queue.
    pub async fn run(mut self, shutdown: impl Future<Output = ()> + Send) {
        let mut shutdown = pin!(shutdown);
        let mut changes = Vec::with_capacity(CHANGES_AT_ONCE);
        loop {
            let count = tokio::select! {
                biased;
                () = &mut shutdown => break,
                count = self.changes.recv_many(&mut changes, CHANGES_AT_ONCE) => count,
            };
            if count == 0 {
                return;
            }
            self.write(&mut changes).await;
        }
        self.changes.close();
        while self.changes.recv_many(&mut changes, CHANGES_AT_ONCE).await > 0 {
            self.write(&mut changes).await;
        }
    }

    async fn write(&mut self, changes: &mut Vec<Change>) {
        let bytes: usize = changes.iter().map(Change::bytes).sum();
        let entries: usize = changes.iter().map(Change::entries).sum();
        let (rows, flushed) = self.merge(changes.drain(..));
        let written = if rows.is_empty() {
            Ok(())
        } else {
            self.table.change_lazily(rows.into_iter().collect(), Vec::new()).await
        };
        self.queued_bytes.fetch_sub(bytes, Ordering::AcqRel);
        match written {
            Ok(()) => self.failing = false,
            Err(error) => self.lost(entries, &error),
        }
        for waiting in flushed {
            // The caller may be gone.
            _ = waiting.send(());
        }
    }

    /// Counts lost entries, and logs the first failure.
    fn lost(&mut self, entries: usize, error: &StoreError) {
        count_history_failed(entries);
        if !std::mem::replace(&mut self.failing, true) {
            let error = shared_telemetry::chain(error);
            tracing::warn!(
                error,
                "the history can't be written; its entries are lost until a write succeeds"
            );
        }
    }

    /// Merges changes into rows, and returns the flush requests among them.
    fn merge(&mut self, changes: impl Iterator<Item = Change>) -> (Rows, Vec<oneshot::Sender<()>>) {
        let (mut merged, mut flushed) = (Rows::new(), Vec::new());
        for change in changes {
            match change {
                Change::Messages(messages) => {
                    for row in messages {
                        store(
                            &mut merged,
                            rows::row_key(&row.user_id, &row.entry.to_string()),
                            row.ttl,
                            &row,
                        );
                    }
                }
                Change::Opened(row) => {
                    store(&mut merged, rows::row_key(&row.user_id, &row.entry.to_string()), row.ttl, &row);
                }
                Change::Closed { user, session, closed_at } => {
                    let key = rows::row_key(&user, &session.to_string());
                    let known = match merged.get(&key) {
                        Some(value) => Ok(Some(Vec::clone(value))),
                        None => self.table.get(&key),
                    };
                    match known {
                        Ok(value) => {
                            let row = value.and_then(|value| rows::decode::<SessionRow>(&value));
                            if let Some(mut row) = row {
                                row.close(closed_at);
                                store(&mut merged, key, row.ttl, &row);
                            }
                        }
                        Err(error) => self.lost(1, &error),
                    }
                }
                Change::Flush(waiting) => flushed.push(waiting),
            }
        }
        (merged, flushed)
    }
}

/// Adds a row and its index.
fn store(rows_by_key: &mut Rows, key: Vec<u8>, ttl: u64, row: &impl Serialize) {
    if let Some(value) = rows::encode(row) {
        rows_by_key.insert(rows::index_key(&key, ttl), Vec::new());
        rows_by_key.insert(key, value);
    }
}
