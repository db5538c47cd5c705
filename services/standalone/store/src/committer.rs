//! The committer, which alone writes to the engine of an open store.
//!
//! In each step it takes waiting work from the inbox and makes these commits, in this order:
//!
//! 1. one of all notifications, deletions and completions that it took;
//! 2. those that replace pending records by rows, while the records have too many bytes;
//! 3. one for each [`Write`].
//!
//! With `synced` durability, a commit that accepts notifications and a `Write` that is not lazy are synced.
//! The others are not: a power cut may undo them, which repeats deliveries but loses nothing.
//!
//! After a failed write the committer refuses work until it has reopened the engine, with growing pauses.
//!
//! Pauses follow tokio's clock, the machine's monotonic one: corrections of the wall clock do not disturb it,
//! and a simulation can pause it.

mod recovery;
mod shared;

pub(super) use self::shared::SharedCommitter;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fjall::{PersistMode, Slice};
use metrics::{counter, gauge, histogram};
use shared_ports::Clock;
use shared_sync::IgnorePoison as _;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Accepted;
use super::codec::{row_key_into, sequence};
use super::commit::Commit;
use super::commit_position::{CommitPosition, Keyspace};
use super::core::Core;
use super::dedup::Dedup;
use super::durable_marker::DurableMarker;
use super::engine::Batch;
use super::error::AcceptError;
use super::inbox::{Accept, Change, Deletes, Prepared, Work, Write};
use super::pending_records::{self, PendingRecords, RecordLocation};
use super::queued::{Queued, queued_bytes};
use super::settings::{Durability, Origin};

/// Longest sleep without work.
const IDLE: Duration = Duration::from_mins(1);
/// Longest time for which the marker, lazy writes, and with `buffered` durability everything accepted, stay
/// unsynced. Deletions wait for the next sync, whenever it comes.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// Time for which the committer waits for readers that still use an engine that is to be closed.
const READERS: Duration = Duration::from_secs(5);
/// Pause before the first attempt to reopen the engine. It doubles after each.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Longest commit of a quick disk. One of a few notifications takes about 0.3 ms with its sync.
const SLOW: Duration = Duration::from_millis(2);

type Answer = oneshot::Sender<Result<Vec<Accepted>, AcceptError>>;

/// The state of the committer's thread.
pub(super) struct Committer<K> {
    core: Arc<Core<K>>,
    dedup: Dedup,
    position: CommitPosition,
    marker: DurableMarker,
    /// Keys of deduplication records to remove.
    stale: Vec<[u8; 16]>,
    /// Deletions that are not on disk yet.
    backlog: Vec<Deletes>,
    /// Pending records on disk.
    pending_records: PendingRecords,
    /// Pending notifications that were completed since the last commit that noted it.
    completed: Vec<RecordLocation>,
    /// A commit that failed. Reopening the engine shows whether it was written.
    uncertain: Option<Commit>,
    /// Set after a failed write, until the engine is reopened: the earliest time for the next attempt.
    broken: Option<Instant>,
    pause: Duration,
    unsynced_since: Option<Instant>,
    /// True if the last commit of notifications took long.
    is_slow: bool,
    /// Buffer for the key being written.
    key: Vec<u8>,
    /// Time at which the marker was last synced.
    marked_at: Option<Instant>,
}

/// Ends the waits of all callers when it is dropped, as a panic of the committer does: waiting answers are
/// dropped, and the inbox takes no further work.
pub(super) struct AbandonOnDrop<K>(pub(super) Arc<Core<K>>);

impl<K> Drop for AbandonOnDrop<K> {
    fn drop(&mut self) {
        self.0.healthy.store(false, Ordering::Release);
        self.0.inbox.abandon();
    }
}

impl<K: Clock> Committer<K> {
    pub(super) fn new(
        core: Arc<Core<K>>,
        dedup: Dedup,
        position: CommitPosition,
        marker: DurableMarker,
        stale: Vec<[u8; 16]>,
    ) -> Self {
        Self {
            core,
            dedup,
            position,
            marker,
            stale,
            backlog: Vec::new(),
            pending_records: PendingRecords::default(),
            completed: Vec::new(),
            uncertain: None,
            broken: None,
            pause: FIRST_PAUSE,
            unsynced_since: None,
            is_slow: false,
            key: Vec::new(),
            marked_at: None,
        }
    }

    pub(super) const fn core(&self) -> &Arc<Core<K>> {
        &self.core
    }

    /// Writes what waits. Returns false when the inbox is closed and was empty.
    pub(super) fn step(&mut self) -> bool {
        let work = self.core.inbox.take(self.core.settings.commit_entries);
        let over = work.closing && work.is_empty();
        *self.core.writing_since.lock().ignore_poison() = Some(Instant::now());
        self.cycle(work);
        *self.core.writing_since.lock().ignore_poison() = None;
        !over
    }

    /// Syncs everything and closes the engine, waiting for its readers for at most [`READERS`].
    pub(super) fn finish(mut self, abandon: AbandonOnDrop<K>) {
        match self.core.engine.get().map(|engine| engine.sync()) {
            Some(Ok(())) if self.broken.is_none() => {
                self.synced();
                self.sync_marker();
            }
            Some(Err(error)) => {
                let error = shared_telemetry::chain(&error);
                tracing::error!(error, "the store could not be synced before it was closed");
            }
            _ => {}
        }
        drop(abandon);
        if !self.core.engine.close(READERS) {
            tracing::warn!("the store is being read while it is closed");
        }
    }

    /// Returns the time to wait for work.
    pub(super) fn patience(&self) -> Duration {
        if self.broken.is_some() {
            return self.pause;
        }
        let unmarked = self.marked_at.filter(|_| self.marker.is_unsynced());
        let due = self.unsynced_since.into_iter().chain(unmarked).min();
        due.map_or(IDLE, |since| SYNC_EVERY.saturating_sub(since.elapsed()))
    }

    fn cycle(&mut self, work: Work) {
        let Work { accepts, deletes, completed, writes, closing: _ } = work;
        self.note_removals(deletes, completed);
        if !self.recover() {
            let error = self.refusal();
            for accept in accepts {
                answer(accept.answer, Err(error));
            }
            for write in writes {
                write.refuse(error);
            }
            return;
        }
        if !accepts.is_empty() || !self.backlog.is_empty() || !self.completed.is_empty() {
            self.commit(accepts);
        }
        self.move_out();
        for write in writes {
            if self.broken.is_some() { write.refuse(AcceptError::Unavailable) } else { self.write(write) }
        }
        self.sync_if_due();
        if self.marker.is_unsynced() && self.marked_at.is_none_or(|at| at.elapsed() >= SYNC_EVERY) {
            self.sync_marker();
        }
    }

    /// Keeps removals for the next commit.
    fn note_removals(&mut self, deletes: Vec<Deletes>, completed: Vec<RecordLocation>) {
        self.completed.extend(completed);
        self.completed.extend(deletes.iter().filter_map(|deletes| deletes.pending));
        self.backlog.extend(deletes);
    }

    /// Returns the error for work that is refused now.
    fn refusal(&self) -> AcceptError {
        if self.has_room() { AcceptError::Unavailable } else { AcceptError::DiskFull }
    }

    fn has_room(&self) -> bool {
        self.core.has_room()
    }

    fn mode(&self) -> PersistMode {
        match self.core.settings.durability {
            Durability::Synced => PersistMode::SyncData,
            Durability::Buffered => PersistMode::Buffer,
        }
    }

    /// Writes notifications and deletions in one commit, queues the notifications and answers their
    /// producers. If the disk lacks room, refuses the notifications and writes the deletions alone, which
    /// free space.
    ///
    /// If the write fails, the commit may be on disk all the same. [`Committer::reopen`] finds out.
    fn commit(&mut self, mut accepts: Vec<Accept>) {
        let Some(engine) = self.core.engine.get() else { return };
        for origin in [Origin::Producer, Origin::Client] {
            let is_of = |accept: &mut Accept| accept.origin == origin;
            if accepts.iter().any(|accept| accept.origin == origin) && !self.core.has_room_for(origin) {
                for accept in accepts.extract_if(.., is_of) {
                    counter!("tidings_disk_full_total", "sender" => origin.name()).increment(1);
                    answer(accept.answer, Err(AcceptError::DiskFull));
                }
            }
        }
        let start = Instant::now();
        let (now, moment) = (self.core.clock.now(), self.core.clock.moment());
        self.stale.extend(self.dedup.prune(moment));
        let items = || accepts.iter().flat_map(|accept| &accept.items);
        let (count, bytes) =
            items().fold((0, 0), |(count, bytes), item| (count + 1, bytes + queued_bytes(&item.value)));
        let mode = if accepts.is_empty() { PersistMode::Buffer } else { self.mode() };
        let mut batch = Batch::new(count + self.backlog.len() + self.stale.len() + 2, mode);
        let mut commit = Commit::new(&self.core, &self.position, now, moment, count, bytes);
        let mut answers = Vec::with_capacity(accepts.len());
        let mut rooms = Vec::with_capacity(accepts.len());
        for Accept { origin, items, answer, room } in accepts {
            let accepted = items.into_iter().map(|item| self.add(&mut batch, &mut commit, origin, item));
            answers.push((answer, accepted.collect::<Vec<_>>()));
            rooms.push(room);
        }
        commit.record.write(&mut batch, commit.number);
        for Deletes { user, seqs, dead, pending: _ } in &self.backlog {
            for seq in seqs.iter() {
                row_key_into(&mut self.key, user, *seq);
                batch.remove(Keyspace::Rows, Slice::new(&self.key));
            }
            if let Some((seq, value)) = dead {
                batch.insert(Keyspace::DeadLetters, seq.to_be_bytes(), value.as_slice());
            }
        }
        self.pending_records.record_completions(&mut batch, &self.completed);
        for key in &self.stale {
            batch.remove(Keyspace::Dedup, *key);
        }
        for ids in commit.ids.iter().filter(|ids| !ids.is_empty()) {
            batch.insert(Keyspace::Dedup, ids.key(), ids.value());
        }
        let result = engine.commit(batch, &self.position, commit.next);
        if !answers.is_empty() {
            self.is_slow = start.elapsed() > SLOW;
        }
        drop((engine, rooms));
        // A failed commit keeps its sequences: they are never assigned again.
        self.position.next = commit.next;
        match result {
            Ok(position) => {
                self.position = position;
                self.write_marker();
                self.stale.clear();
                self.publish_commit(commit);
                self.core.deleted(&std::mem::take(&mut self.backlog));
                self.pending_records.completions_written(&self.completed);
                self.completed.clear();
                for (to, accepted) in answers {
                    answer(to, Ok(accepted));
                }
                histogram!("tidings_commit_seconds").record(start.elapsed().as_secs_f64());
            }
            Err(error) => {
                self.uncertain = (!commit.queued.is_empty()).then_some(commit);
                self.enter_broken_state(&error);
                let refusal = self.refusal();
                for (to, _) in answers {
                    answer(to, Err(refusal));
                }
            }
        }
    }

    /// Adds a notification to the commit, unless its id was accepted before.
    fn add(&mut self, batch: &mut Batch, commit: &mut Commit, origin: Origin, item: Prepared) -> Accepted {
        let Prepared { value, notification, fingerprint, redriven } = item;
        if let Some(seq) = fingerprint.and_then(|fingerprint| self.dedup.get(&fingerprint)) {
            return Accepted { sequence: sequence(seq), duplicate: true };
        }
        let seq = commit.next;
        commit.next += 1;
        if let Some(fingerprint) = fingerprint {
            self.dedup.insert(commit.ids_of(origin), fingerprint, seq);
        }
        if let Some(dead) = redriven {
            batch.remove(Keyspace::DeadLetters, dead.to_be_bytes());
            commit.redriven.push(dead);
        }
        let bytes = queued_bytes(&value);
        let pending = commit.add_to_record(&self.core, &notification.user_id, seq, &value);
        if pending.is_none() {
            row_key_into(&mut self.key, &notification.user_id, seq);
            batch.insert(Keyspace::Rows, Slice::new(&self.key), value);
        }
        commit.queued.push(Queued { pending, ..Queued::new(seq, notification, bytes) });
        Accepted { sequence: sequence(seq), duplicate: false }
    }

    /// Creates rows for the notifications of the oldest pending records while all records together have more
    /// than `hot_bytes` bytes, or while held notifications fill half of that memory.
    fn move_out(&mut self) {
        while self.broken.is_none()
            && let Some(number) = self.next_to_move_out()
            && let Some(engine) = self.core.engine.get()
        {
            let mut rows = Vec::new();
            let moved = match pending_records::incomplete(&engine, number) {
                Ok(Ok(pending_records)) => {
                    let next = self.position.next_after_rows(pending_records.len());
                    let mut batch = Batch::new(pending_records.len() + 2, PersistMode::Buffer);
                    for pending in pending_records.into_iter().filter(|pending| self.core.note_row(pending)) {
                        rows.push((pending.user.clone(), pending.seq, pending.location));
                        pending.write_row(&mut batch);
                    }
                    pending_records::remove(&mut batch, number);
                    engine.commit(batch, &self.position, next)
                }
                Ok(Err(error)) => {
                    // The next start checks the record.
                    let error = shared_telemetry::chain(&error);
                    tracing::error!(error, number, "a pending record can't be read");
                    Ok(self.position)
                }
                Err(error) => Err(error),
            };
            drop(engine);
            match moved {
                Ok(position) => {
                    self.position = position;
                    self.write_marker();
                    self.pending_records.forget_record(number);
                    self.core.rows_written(rows);
                }
                Err(error) => self.enter_broken_state(&error),
            }
        }
    }

    fn next_to_move_out(&self) -> Option<u64> {
        let hot_bytes = self.core.settings.hot_bytes;
        let crowded = self.core.held_bytes.load(Ordering::Relaxed) > hot_bytes / 2;
        self.pending_records.excess(if crowded { 0 } else { hot_bytes })
    }

    /// Publishes a commit that is on disk.
    #[expect(clippy::cast_precision_loss, reason = "a metric")]
    fn publish_commit(&mut self, commit: Commit) {
        self.pause = FIRST_PAUSE;
        if commit.queued.is_empty() {
            return;
        }
        self.unsynced_since = self.unsynced_since.or_else(|| self.now_if_buffered());
        counter!("tidings_accepted_total").increment(commit.queued.len() as u64);
        histogram!("tidings_commit_notifications").record(commit.queued.len() as f64);
        for ids in commit.ids.into_iter().filter(|ids| !ids.is_empty()) {
            self.dedup.keep(ids);
        }
        if !commit.redriven.is_empty() {
            self.core.dead_letters.fetch_sub(commit.redriven.len(), Ordering::Relaxed);
        }
        self.pending_records.insert(commit.number, &commit.record);
        self.core.publish(commit.queued, commit.next);
        gauge!("tidings_queued_users").set(self.core.ready_users() as f64);
        gauge!("tidings_dead_letters").set(self.core.dead_letters.load(Ordering::Relaxed) as f64);
    }

    fn now_if_buffered(&self) -> Option<Instant> {
        (self.core.settings.durability == Durability::Buffered).then(Instant::now)
    }

    /// Writes changes of a mailbox or a table as one commit, and answers the caller. They are as durable as
    /// the settings say, or synced within a second if they are lazy.
    ///
    /// Lazy rows are records of what was delivered. They stop where clients' messages do, so that they take no room of
    /// producers. Removals free space.
    fn write(&mut self, write: Write) {
        let adds = || write.changes.iter().any(|change| change.value.is_some());
        if write.lazy && adds() && !self.core.has_room_for(Origin::Client) {
            write.refuse(AcceptError::DiskFull);
            return;
        }
        let Some(engine) = self.core.engine.get() else { return };
        let Write { changes, highest, pending_records, lazy, answer } = write;
        let mode = if lazy { PersistMode::Buffer } else { self.mode() };
        let mut batch = Batch::new(changes.len() + 1, mode);
        for Change { keyspace, key, value } in changes {
            match value {
                Some(value) => batch.insert(keyspace, key, value),
                None => batch.remove(keyspace, key),
            }
        }
        self.pending_records.record_completions(&mut batch, &pending_records);
        // The caller chose the sequences of these rows. They are not assigned again.
        let next = highest
            .map_or(0, |highest| highest + 1)
            .max(self.position.next_after_rows(pending_records.len()));
        let result = engine.commit(batch, &self.position, next);
        drop(engine);
        self.position.next = next;
        match result {
            Ok(position) => {
                self.position = position;
                self.write_marker();
                self.pending_records.completions_written(&pending_records);
                let unsynced = || (mode == PersistMode::Buffer).then(Instant::now);
                self.unsynced_since = self.unsynced_since.or_else(unsynced);
                self.core.published.fetch_max(self.position.next, Ordering::AcqRel);
                // A caller that stopped waiting needs no answer.
                _ = answer.send(Ok(()));
            }
            Err(error) => {
                self.pending_records.undo_completions(&pending_records);
                self.enter_broken_state(&error);
                _ = answer.send(Err(self.refusal()));
            }
        }
    }

    fn sync_if_due(&mut self) {
        if self.unsynced_since.is_some_and(|since| since.elapsed() >= SYNC_EVERY) {
            self.unsynced_since = None;
            match self.core.engine.get().map(|engine| engine.sync()) {
                Some(Ok(())) => self.synced(),
                Some(Err(error)) => self.enter_broken_state(&error),
                None => {}
            }
        }
    }

    /// Marks all commits so far as durable.
    fn synced(&mut self) {
        self.position.synced = self.position.commit;
        self.write_marker();
    }

    /// Writes the marker if the last commit is durable.
    fn write_marker(&mut self) {
        if self.position.synced == self.position.commit
            && let Err(error) = self.marker.write(&self.position)
        {
            report_marker_error(&error);
        }
    }

    fn sync_marker(&mut self) {
        self.marked_at = Some(Instant::now());
        if let Err(error) = self.marker.sync() {
            report_marker_error(&error);
        }
    }
}

fn report_marker_error(error: &std::io::Error) {
    let error = shared_telemetry::chain(error);
    tracing::warn!(error, "the marker beside the store could not be written");
    counter!("tidings_store_mark_failures_total").increment(1);
}

fn answer(to: Answer, accepted: Result<Vec<Accepted>, AcceptError>) {
    // A caller that stopped waiting needs no answer.
    _ = to.send(accepted);
}
