//! Implements the services' ports for mailboxes and replay entries, and changes mailboxes. `mailbox_pages.rs` reads
//! them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use contract_notifications_v1::{Notification, Replay, Sequence, UserId};
use dispatcher::core::ConnectionSet;
use dispatcher::ports::{MailboxRow, Page, PageQuery};
use replayer::ports::{KeyPage, ReplayEntry};
use shared_ports::{Clock, PortError};
use tokio::runtime::Handle;

use super::codec::{MAX_FOREIGN_SEQ, Seq, encode, row_key, seq, sequence};
use super::commit_position::Keyspace;
use super::core::Core;
use super::error::StoreError;
use super::inbox::Change;
use super::user::Removed;
use super::{LastKey, Store};

impl<K: Clock> Core<K> {
    /// Removes the rows that memory knows. Returns the others, which [`Core::remove_unknown`] looks up.
    fn remove(&self, user: &UserId, sequences: &[Sequence], acknowledged: bool) -> Vec<Seq> {
        let published = self.published.load(Ordering::Acquire);
        let (mut unknown, mut completed, mut freed) = (Vec::new(), Vec::new(), 0);
        self.with_user(user, |state| {
            let (mut deletes, mut held) = (Vec::new(), 0);
            for seq in sequences.iter().map(|sequence| seq(*sequence)) {
                match state.remove(seq, acknowledged, published) {
                    Removed::Nothing => continue,
                    Removed::Held => deletes.push(seq),
                    Removed::Pending { location, bytes, perhaps_row } => {
                        completed.push(location);
                        freed += bytes;
                        deletes.extend(perhaps_row.then_some(seq));
                    }
                    Removed::Unknown => {
                        unknown.push(seq);
                        continue;
                    }
                }
                held += 1;
            }
            self.held.remove(held);
            self.delete_later(user, state, deletes);
        });
        if !completed.is_empty() {
            self.release(freed);
            self.inbox.complete(&completed);
        }
        unknown
    }

    /// Removes rows that memory does not know, if they are on disk. Most are not: they were acknowledged
    /// before.
    fn remove_unknown(&self, user: &UserId, mut rows: Vec<Seq>, acknowledged: bool) {
        let published = self.published.load(Ordering::Acquire);
        let engine = self.reader();
        // If the engine can't tell, the row counts as there: deleting a missing row does no harm.
        let there = |row: &Seq| {
            engine
                .as_ref()
                .map_or(true, |engine| engine.rows.contains_key(row_key(user, *row)).unwrap_or(true))
        };
        rows.retain(there);
        self.with_user(user, |state| {
            rows.retain(|row| state.remove(*row, acknowledged, published) != Removed::Nothing);
            self.held.remove(rows.len());
            self.delete_later(user, state, rows);
        });
    }

    /// Adds connections to those to which rows were pushed, if the rows are in the mailbox. The marks are kept
    /// in memory only. Returns the marks of rows of which memory does not know whether they are:
    /// [`Core::mark_unknown`] looks them up.
    fn mark(&self, user: &UserId, marks: &[(Sequence, ConnectionSet)]) -> Vec<(Seq, ConnectionSet)> {
        let marks = marks.iter().map(|(row, connections)| (seq(*row), connections));
        self.with_user(user, |state| {
            let unknown = marks.filter(|(row, connections)| !state.mark(*row, connections));
            unknown.map(|(row, connections)| (row, connections.clone())).collect()
        })
    }

    fn mark_unknown(&self, user: &UserId, row: Seq, connections: &ConnectionSet) -> Result<(), StoreError> {
        let there = self.reader().and_then(|engine| Ok(engine.rows.contains_key(row_key(user, row))?));
        self.with_user(user, |state| match state.rows.get_mut(&row) {
            Some(to) if matches!(there, Ok(true)) => to.extend(connections.iter().cloned()),
            Some(to) if to.is_empty() => _ = state.rows.remove(&row),
            _ => {}
        });
        there.map(drop)
    }
}

fn port_error(operation: &'static str) -> impl FnOnce(StoreError) -> PortError {
    move |error| match error {
        StoreError::Sequence => PortError::permanent(operation, error),
        error => PortError::retryable(operation, error),
    }
}

impl<K: Clock + 'static> dispatcher::ports::Mailbox for Store<K> {
    async fn page(&self, user: &UserId, query: PageQuery) -> Result<Page, PortError> {
        if let Some(page) = self.core().page_in_memory(user, &query) {
            return Ok(page);
        }
        let user = user.clone();
        let page = self.core().read(move |core| core.page(&user, &query)).await;
        page.map_err(port_error("reading a mailbox"))
    }

    /// Puts rows into the mailbox. The row of a queued notification is on disk already, and is written only
    /// if the notification has changed, or if it is in a pending record and not about to be pushed.
    ///
    /// If the future is dropped during the write, the row of a notification in a pending record may be
    /// written although it is not in the mailbox. It is deleted when its entry is completed.
    async fn put(&self, user: &UserId, rows: Vec<MailboxRow>) -> Result<(), PortError> {
        let port_error = || port_error("writing to a mailbox");
        let mut changes: Vec<(Seq, Change)> = Vec::new();
        let mut pending_records = Vec::new();
        let mut later: Vec<&MailboxRow> = Vec::new();
        let change = |seq, notification: &Notification| {
            let (key, value) = (row_key(user, seq), Some(encode(notification)));
            (seq, Change { keyspace: Keyspace::Rows, key, value })
        };
        self.core().with_user(user, |state| {
            for row in &rows {
                let (number, notification) = (seq(row.sequence), &row.notification);
                let (mut same, mut has_row) = (false, false);
                if let Some(known) = state.in_memory(number) {
                    same =
                        Arc::ptr_eq(&known.notification, notification) || known.notification == *notification;
                    has_row = known.pending.is_none();
                    if same && !row.pushed_to.is_empty() && state.hold_pending(number, &row.pushed_to) {
                        continue;
                    }
                }
                if let Some(known) = state.in_memory(number) {
                    known.perhaps_row |= !has_row;
                    pending_records.extend(known.pending);
                }
                if !same || !has_row {
                    changes.retain(|(other, _)| *other != number);
                    changes.push(change(number, notification));
                }
                if !has_row || !state.put(number, notification, &row.pushed_to) {
                    later.push(row);
                }
            }
        });
        if changes.is_empty() {
            return Ok(());
        }
        if changes.iter().any(|(seq, _)| *seq > MAX_FOREIGN_SEQ) {
            return Err(port_error()(StoreError::Sequence));
        }
        let highest = changes.iter().map(|(seq, _)| *seq).max();
        let changes = changes.into_iter().map(|(_, change)| change).collect();
        let written = self.write_with(changes, highest, pending_records).await;
        written.map_err(StoreError::Write).map_err(port_error())?;
        let freed = self.core().with_user(user, |state| {
            let mut freed = 0;
            for MailboxRow { sequence, notification, pushed_to } in later {
                if !state.put(seq(*sequence), notification, pushed_to) {
                    freed += state.written(seq(*sequence), pushed_to.clone());
                }
            }
            freed
        });
        self.core().release(freed);
        Ok(())
    }

    async fn delete(&self, user: &UserId, sequences: &[Sequence]) -> Result<(), PortError> {
        self.remove(user, sequences, false).await.map_err(port_error("deleting rows"))
    }

    async fn mark(&self, user: &UserId, marks: &[(Sequence, ConnectionSet)]) -> Result<(), PortError> {
        let unknown = self.core().mark(user, marks);
        if unknown.is_empty() {
            return Ok(());
        }
        let user = user.clone();
        let mark = move |core: &Core<K>| {
            unknown.iter().try_for_each(|(row, connections)| core.mark_unknown(&user, *row, connections))
        };
        self.core().read(mark).await.map_err(port_error("marking a row"))
    }
}

impl<K: Clock + 'static> Store<K> {
    /// Removes notifications that the user's client has. Those that memory does not know are looked up in a task.
    pub fn confirm(&self, user: &UserId, sequences: &[Sequence]) {
        let unknown = self.core().remove(user, sequences, true);
        if unknown.is_empty() {
            return;
        }
        let (core, user) = (Arc::clone(self.core()), user.clone());
        match Handle::try_current() {
            Ok(runtime) if !core.is_stepped => drop(runtime.spawn(async move {
                let removed = core.read(move |core| {
                    core.remove_unknown(&user, unknown, true);
                    Ok(())
                });
                if let Err(error) = removed.await {
                    let error = shared_telemetry::chain(&error);
                    tracing::warn!(
                        error,
                        "rows that a client has could not be looked up; they are delivered again"
                    );
                }
            })),
            _ => core.remove_unknown(&user, unknown, true),
        }
    }

    async fn remove(
        &self,
        user: &UserId,
        sequences: &[Sequence],
        acknowledged: bool,
    ) -> Result<(), StoreError> {
        let unknown = self.core().remove(user, sequences, acknowledged);
        if unknown.is_empty() {
            return Ok(());
        }
        let user = user.clone();
        let remove = move |core: &Core<K>| {
            core.remove_unknown(&user, unknown, acknowledged);
            Ok(())
        };
        self.core().read(remove).await
    }
}

impl<K: Clock + 'static> ws_edge::ports::Mailbox for Store<K> {
    async fn acknowledge(&self, user: &UserId, sequences: &[Sequence]) -> Result<(), PortError> {
        self.remove(user, sequences, true).await.map_err(port_error("removing acknowledged rows"))
    }
}

impl<K: Clock + 'static> dispatcher::ports::ReplayQueue for Store<K> {
    async fn enqueue(&self, replay: Replay) -> Result<(), PortError> {
        let bound = seq(replay.sequence);
        self.core().with_user_woken(&replay.user_id, |state| state.enqueue_replay(bound));
        Ok(())
    }
}

impl<K: Clock + 'static> replayer::ports::ReplayQueue for Store<K> {
    /// Queues replay entries of one user: the highest stands for all.
    async fn send(&self, batch: &[ReplayEntry]) -> Result<Vec<usize>, PortError> {
        for ReplayEntry { replay, .. } in batch {
            let bound = seq(replay.sequence);
            self.core().with_user_woken(&replay.user_id, |state| state.enqueue_replay(bound));
        }
        Ok(Vec::new())
    }
}

impl<K: Clock + 'static> replayer::ports::MailboxKeys for Store<K> {
    async fn keys(&self, user: &UserId, after: Option<Sequence>, limit: usize) -> Result<KeyPage, PortError> {
        let (after, limit) = (after.map(seq), limit.max(1));
        let user = user.clone();
        let keys = self.core().read(move |core| core.keys(&user, after, limit)).await;
        keys.map_err(port_error("reading the keys of a mailbox"))
    }
}

impl<K: Clock + 'static> replayer::ports::MailboxKeys for LastKey<K> {
    async fn keys(
        &self,
        user: &UserId,
        after: Option<Sequence>,
        _limit: usize,
    ) -> Result<KeyPage, PortError> {
        let user = user.clone();
        let last = self.0.core().read(move |core| core.last_key(&user)).await;
        let last = last.map_err(port_error("reading the keys of a mailbox"))?;
        let last = last.map(sequence).filter(|last| after.is_none_or(|after| *last > after));
        Ok(KeyPage { sequences: last.into_iter().collect(), more: false })
    }
}
