//! The thread that writes: everything that waits goes into one commit.
//!
//! Its pauses are kept by tokio's clock: that is the machine's monotonic one, which no correction of the
//! time of day disturbs, except where a simulation has paused it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use contract_notifications_v1::Timestamp;
use fjall::{PersistMode, Slice};
use metrics::{counter, gauge, histogram};
use shared_ports::Clock;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Accepted;
use super::codec::{Seq, row_key_into, sequence};
use super::core::{Core, lock};
use super::dedup::{self, Dedup};
use super::engine::{Batch, Engine, free_bytes};
use super::error::{AcceptError, OpenError};
use super::head::{Head, Space};
use super::inbox::{Accept, Change, Deletes, Prepared, Work, Write};
use super::mark::Mark;
use super::opening;
use super::queue::QUEUED_BYTES;
use super::settings::Durability;
use super::user::Queued;

/// How long the thread sleeps when there is nothing to do.
const IDLE: Duration = Duration::from_mins(1);
/// How long buffered writes stay unsynced at most.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// Pauses between attempts to reopen the engine.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long readers may keep an engine that is to be reopened.
const READERS: Duration = Duration::from_secs(5);

type Answer = oneshot::Sender<Result<Vec<Accepted>, AcceptError>>;

/// A commit in the making.
struct Commit {
    ids: dedup::Accepted,
    queued: Vec<Queued>,
    redriven: Vec<Seq>,
    number: u64,
    next: Seq,
}

/// The writing thread's state.
pub(super) struct Committer<K> {
    core: Arc<Core<K>>,
    dedup: Dedup,
    head: Head,
    mark: Mark,
    /// Records of ids to be removed.
    stale: Vec<[u8; 16]>,
    /// Deletions that are not on disk yet.
    backlog: Vec<Deletes>,
    /// A commit that failed, and of which reopening shows whether it was made.
    uncertain: Option<Commit>,
    /// The engine refuses to write; not before this time it is reopened.
    broken: Option<Instant>,
    pause: Duration,
    unsynced_since: Option<Instant>,
    /// The key being written.
    key: Vec<u8>,
    /// When the note of the last durable commit was last synced.
    marked_at: Option<Instant>,
}

/// Leaves nobody waiting for a committer that is gone.
pub(super) struct Abandon<K>(pub(super) Arc<Core<K>>);

impl<K> Drop for Abandon<K> {
    fn drop(&mut self) {
        self.0.healthy.store(false, Ordering::Release);
        self.0.inbox.abandon();
    }
}

impl<K: Clock> Committer<K> {
    pub(super) fn new(
        core: Arc<Core<K>>,
        dedup: Dedup,
        head: Head,
        mark: Mark,
        stale: Vec<[u8; 16]>,
    ) -> Self {
        Self {
            core,
            dedup,
            head,
            mark,
            stale,
            backlog: Vec::new(),
            uncertain: None,
            broken: None,
            pause: FIRST_PAUSE,
            unsynced_since: None,
            key: Vec::new(),
            marked_at: None,
        }
    }

    pub(super) const fn core(&self) -> &Arc<Core<K>> {
        &self.core
    }

    /// Works until the inbox is closed and empty; then closes the engine.
    pub(super) fn run(mut self) {
        let abandon = Abandon(Arc::clone(&self.core));
        while self.step(self.patience()) {}
        self.finish(abandon);
    }

    /// Makes one commit of what waits, which is waited for at most for `patience`. False when the inbox is
    /// closed and was empty.
    pub(super) fn step(&mut self, patience: Duration) -> bool {
        let work = self.core.inbox.take(self.core.settings.commit_entries, patience);
        let over = work.closing && work.is_empty();
        *lock(&self.core.writing_since) = Some(Instant::now());
        self.cycle(work);
        *lock(&self.core.writing_since) = None;
        !over
    }

    /// Makes everything durable and closes the engine.
    pub(super) fn finish(mut self, abandon: Abandon<K>) {
        match self.core.engine.get().map(|engine| engine.sync()) {
            Some(Ok(())) if self.broken.is_none() => {
                self.synced();
                self.sync_mark();
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

    /// How long there is nothing to do unless something comes.
    pub(super) fn patience(&self) -> Duration {
        if self.broken.is_some() {
            return self.pause;
        }
        let unmarked = self.marked_at.filter(|_| self.mark.is_unsynced());
        let due = self.unsynced_since.into_iter().chain(unmarked).min();
        due.map_or(IDLE, |since| SYNC_EVERY.saturating_sub(since.elapsed()))
    }

    fn cycle(&mut self, work: Work) {
        let Work { accepts, deletes, writes, closing: _ } = work;
        self.backlog.extend(deletes);
        if !self.recover() {
            let error = self.refusal();
            for accept in accepts {
                answer(accept.answer, Err(error));
            }
            refuse_writes(writes, error);
            return;
        }
        if !accepts.is_empty() || !self.backlog.is_empty() {
            self.commit(accepts);
        }
        let mut writes = writes;
        while let Some(write) = writes.pop_front() {
            if self.broken.is_some() {
                refuse_writes([write], AcceptError::Unavailable);
                continue;
            }
            self.write(write);
        }
        self.sync_if_due();
        if self.mark.is_unsynced() && self.marked_at.is_none_or(|at| at.elapsed() >= SYNC_EVERY) {
            self.sync_mark();
        }
    }

    /// Why nothing is accepted at the moment.
    fn refusal(&self) -> AcceptError {
        if self.has_room() { AcceptError::Unavailable } else { AcceptError::DiskFull }
    }

    fn has_room(&self) -> bool {
        free_bytes(&self.core.directory) >= self.core.settings.reserve_bytes.max(1)
    }

    fn mode(&self) -> PersistMode {
        match self.core.settings.durability {
            Durability::Synced => PersistMode::SyncData,
            Durability::Buffered => PersistMode::Buffer,
        }
    }

    /// Writes notifications and deletions, queues the former and answers their producers.
    fn commit(&mut self, mut accepts: Vec<Accept>) {
        let Some(engine) = self.core.engine.get() else { return };
        if !accepts.is_empty() && !self.has_room() {
            for accept in accepts.drain(..) {
                answer(accept.answer, Err(AcceptError::DiskFull));
            }
        }
        let start = Instant::now();
        let now = self.core.clock.now();
        self.stale.extend(self.dedup.prune(now));
        let count: usize = accepts.iter().map(|accept| accept.items.len()).sum();
        let mode = if accepts.is_empty() { PersistMode::Buffer } else { self.mode() };
        let mut batch = Batch::new(count + self.backlog.len() + self.stale.len() + 2, mode);
        let mut commit = self.begin(now, count);
        let mut answers = Vec::with_capacity(accepts.len());
        for Accept { items, answer } in accepts {
            let accepted = items.into_iter().map(|item| self.add(&mut batch, &mut commit, item));
            answers.push((answer, accepted.collect::<Vec<_>>()));
        }
        for Deletes { user, seqs, dead } in &self.backlog {
            for seq in seqs.iter() {
                row_key_into(&mut self.key, user, *seq);
                batch.remove(Space::Rows, Slice::new(&self.key));
            }
            if let Some((seq, value)) = dead {
                batch.insert(Space::Dead, seq.to_be_bytes(), value.as_slice());
            }
        }
        for key in &self.stale {
            batch.remove(Space::Dedup, *key);
        }
        if !commit.ids.is_empty() {
            batch.insert(Space::Dedup, commit.ids.key(), commit.ids.value());
        }
        let result = engine.commit(batch, &self.head, commit.next);
        drop(engine);
        // Not even a commit that failed gives its sequences back.
        self.head.next = commit.next;
        match result {
            Ok(head) => {
                self.head = head;
                self.mark();
                self.stale.clear();
                self.done(commit);
                self.core.deleted(&std::mem::take(&mut self.backlog));
                for (to, accepted) in answers {
                    answer(to, Ok(accepted));
                }
                histogram!("tidings_commit_seconds").record(start.elapsed().as_secs_f64());
            }
            Err(error) => {
                self.uncertain = (!commit.queued.is_empty()).then_some(commit);
                self.breaks(&error);
                let refusal = self.refusal();
                for (to, _) in answers {
                    answer(to, Err(refusal));
                }
            }
        }
    }

    fn begin(&self, now: Timestamp, count: usize) -> Commit {
        let number = self.head.commit + 1;
        Commit {
            ids: dedup::Accepted::new(now, number),
            queued: Vec::with_capacity(count),
            redriven: Vec::new(),
            number,
            next: self.head.next,
        }
    }

    /// Adds a notification to the commit, unless its id was accepted before.
    fn add(&mut self, batch: &mut Batch, commit: &mut Commit, item: Prepared) -> Accepted {
        let Prepared { value, notification, fingerprint, redriven } = item;
        if let Some(seq) = fingerprint.and_then(|fingerprint| self.dedup.get(&fingerprint)) {
            return Accepted { sequence: sequence(seq), duplicate: true };
        }
        let seq = commit.next;
        commit.next += 1;
        if let Some(fingerprint) = fingerprint {
            self.dedup.insert(&mut commit.ids, fingerprint, seq);
        }
        if let Some(dead) = redriven {
            batch.remove(Space::Dead, dead.to_be_bytes());
            commit.redriven.push(dead);
        }
        row_key_into(&mut self.key, &notification.user_id, seq);
        let bytes = value.len() + QUEUED_BYTES;
        batch.insert(Space::Rows, Slice::new(&self.key), value);
        commit.queued.push(Queued::new(seq, notification, bytes));
        Accepted { sequence: sequence(seq), duplicate: false }
    }

    /// A commit is on disk.
    #[expect(clippy::cast_precision_loss, reason = "a metric")]
    fn done(&mut self, commit: Commit) {
        self.pause = FIRST_PAUSE;
        if commit.queued.is_empty() {
            return;
        }
        self.unsynced_since = self.unsynced_since.or_else(|| self.now_if_buffered());
        counter!("tidings_accepted_total").increment(commit.queued.len() as u64);
        histogram!("tidings_commit_notifications").record(commit.queued.len() as f64);
        if !commit.ids.is_empty() {
            self.dedup.keep(commit.ids);
        }
        if !commit.redriven.is_empty() {
            self.core.dead_letters.fetch_sub(commit.redriven.len(), Ordering::Relaxed);
        }
        self.core.publish(commit.queued, commit.next);
        gauge!("tidings_queued_users").set(self.core.ready_users() as f64);
        gauge!("tidings_dead_letters").set(self.core.dead_letters.load(Ordering::Relaxed) as f64);
    }

    fn now_if_buffered(&self) -> Option<Instant> {
        (self.core.settings.durability == Durability::Buffered).then(Instant::now)
    }

    /// Makes changes from outside; durably, unless they are lazy.
    fn write(&mut self, write: Write) {
        let Write { changes, highest, lazy, answer } = write;
        if lazy && !self.has_room() {
            _ = answer.send(Err(AcceptError::DiskFull));
            return;
        }
        let Some(engine) = self.core.engine.get() else { return };
        let mode = if lazy { PersistMode::Buffer } else { self.mode() };
        let mut batch = Batch::new(changes.len() + 1, mode);
        for Change { space, key, value } in changes {
            match value {
                Some(value) => batch.insert(space, key, value),
                None => batch.remove(space, key),
            }
        }
        // Rows from outside: their sequences are not given again.
        let next = highest.map_or(self.head.next, |highest| self.head.next.max(highest + 1));
        let result = engine.commit(batch, &self.head, next);
        drop(engine);
        self.head.next = next;
        match result {
            Ok(head) => {
                self.head = head;
                self.mark();
                let unsynced = || (mode == PersistMode::Buffer).then(Instant::now);
                self.unsynced_since = self.unsynced_since.or_else(unsynced);
                self.core.published.fetch_max(self.head.next, Ordering::AcqRel);
                // One that stopped waiting is no reason to stop.
                _ = answer.send(Ok(()));
            }
            Err(error) => {
                self.breaks(&error);
                _ = answer.send(Err(self.refusal()));
            }
        }
    }

    fn sync_if_due(&mut self) {
        if self.unsynced_since.is_some_and(|since| since.elapsed() >= SYNC_EVERY) {
            self.unsynced_since = None;
            match self.core.engine.get().map(|engine| engine.sync()) {
                Some(Ok(())) => self.synced(),
                Some(Err(error)) => self.breaks(&error),
                None => {}
            }
        }
    }

    /// All commits so far are durable.
    fn synced(&mut self) {
        self.head.synced = self.head.commit;
        self.mark();
    }

    /// Notes the last commit, if it is durable.
    fn mark(&mut self) {
        if self.head.synced == self.head.commit
            && let Err(error) = self.mark.write(&self.head)
        {
            unmarked(&error);
        }
    }

    fn sync_mark(&mut self) {
        self.marked_at = Some(Instant::now());
        if let Err(error) = self.mark.sync() {
            unmarked(&error);
        }
    }

    fn breaks(&mut self, error: &fjall::Error) {
        let error = shared_telemetry::chain(error);
        tracing::error!(error, pause = ?self.pause, "the store can't write and will be reopened");
        counter!("tidings_store_failures_total").increment(1);
        self.core.failures.fetch_add(1, Ordering::Relaxed);
        self.core.healthy.store(false, Ordering::Release);
        self.broken = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// Reopens the engine if that is necessary and due; false when it can't be written.
    fn recover(&mut self) -> bool {
        let Some(not_before) = self.broken else { return true };
        // While the disk is full, reads go on with the old handle; reopening would only fail.
        if Instant::now() < not_before || !self.has_room() {
            return false;
        }
        self.broken = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        if !self.core.engine.close(READERS) {
            return false;
        }
        match self.reopen() {
            Ok(engine) => {
                tracing::info!("the store was reopened");
                self.core.engine.set(engine);
                self.broken = None;
                self.core.healthy.store(true, Ordering::Release);
                true
            }
            Err(error) => {
                let error = shared_telemetry::chain(&error);
                tracing::warn!(error, pause = ?self.pause, "the store could not be reopened");
                false
            }
        }
    }

    /// Opens the engine, settles what became of the commit that failed, and tries to write.
    fn reopen(&mut self) -> Result<Engine, OpenError> {
        let (engine, head) = opening::open(&self.core.directory, &self.core.settings)?;
        self.head = Head { next: self.head.next.max(head.next), ..head };
        if let Some(commit) = self.uncertain.take() {
            if head.commit >= commit.number {
                // It is on disk: it counts as accepted, and its producer's next attempt as duplicate.
                self.done(commit);
            } else {
                self.dedup.undo(&commit.ids);
            }
        }
        let probe = Batch::new(0, PersistMode::SyncData);
        let probed = engine.commit_always(probe, &self.head, self.head.next);
        let directory = || self.core.directory.clone();
        self.head = probed.map_err(|source| OpenError::Engine { directory: directory(), source })?;
        self.mark();
        Ok(engine)
    }
}

fn unmarked(error: &std::io::Error) {
    let error = shared_telemetry::chain(error);
    tracing::warn!(error, "the mark beside the store could not be written");
    counter!("tidings_store_mark_failures_total").increment(1);
}

impl Queued {
    /// A notification that was not received yet.
    pub(super) fn new(
        seq: Seq,
        notification: Arc<contract_notifications_v1::Notification>,
        bytes: usize,
    ) -> Self {
        Self { seq, notification, bytes, receives: 0, held: false, acknowledged: false }
    }
}

fn answer(to: Answer, accepted: Result<Vec<Accepted>, AcceptError>) {
    // One that stopped waiting is no reason to stop.
    _ = to.send(accepted);
}

fn refuse_writes(writes: impl IntoIterator<Item = Write>, error: AcceptError) {
    for Write { answer, .. } in writes {
        _ = answer.send(Err(error));
    }
}
