//! What waits for the committer.

use std::collections::VecDeque;
use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Poll, Waker};
use std::time::Duration;

use contract_notifications_v1::{Notification, UserId};
use fjall::Slice;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use shared_sync::IgnorePoison as _;

use super::Accepted;
use super::codec::Seq;
use super::commit_position::Keyspace;
use super::dedup::Fingerprint;
use super::error::AcceptError;
use super::pending_records::RecordLocation;

/// A notification to be accepted, ready to be written.
pub(super) struct Prepared {
    pub(super) value: Slice,
    pub(super) notification: Arc<Notification>,
    /// What its id is remembered as, if it is to be deduplicated.
    pub(super) fingerprint: Option<Fingerprint>,
    /// The dead letter it replaces.
    pub(super) redriven: Option<Seq>,
}

/// Notifications of one producer.
pub(super) struct Accept {
    pub(super) items: Vec<Prepared>,
    pub(super) answer: oneshot::Sender<Result<Vec<Accepted>, AcceptError>>,
}

/// Rows of one user to be deleted, and perhaps the dead letter one of them becomes.
pub(super) struct Deletes {
    pub(super) user: UserId,
    pub(super) seqs: Arc<[Seq]>,
    pub(super) dead: Option<(Seq, Vec<u8>)>,
    /// Where the one that becomes a dead letter stands besides.
    pub(super) pending: Option<RecordLocation>,
}

/// One key to be written, or removed when there is no value.
pub(super) struct Change {
    pub(super) keyspace: Keyspace,
    pub(super) key: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
}

/// Changes to be made together. No two have the same key.
pub(super) struct Write {
    pub(super) changes: Vec<Change>,
    /// The highest sequence among them, if they are rows.
    pub(super) highest: Option<Seq>,
    /// Notifications that have rows from now on.
    pub(super) pending_records: Vec<RecordLocation>,
    /// Whether it may wait for a sync that others need, for a second at most, and gives way when the disk is
    /// nearly full.
    pub(super) lazy: bool,
    pub(super) answer: oneshot::Sender<Result<(), AcceptError>>,
}

impl Write {
    /// Makes none of the changes.
    pub(super) fn refuse(self, error: AcceptError) {
        // One that stopped waiting is no reason to stop.
        _ = self.answer.send(Err(error));
    }
}

/// What the committer does next.
#[derive(Default)]
pub(super) struct Work {
    pub(super) accepts: Vec<Accept>,
    pub(super) deletes: Vec<Deletes>,
    /// Notifications that are completed and have no rows.
    pub(super) completed: Vec<RecordLocation>,
    pub(super) writes: Vec<Write>,
    pub(super) closing: bool,
}

impl Work {
    pub(super) fn is_empty(&self) -> bool {
        self.accepts.is_empty()
            && self.deletes.is_empty()
            && self.completed.is_empty()
            && self.writes.is_empty()
    }
}

#[derive(Default)]
struct Waiting {
    accepts: VecDeque<Accept>,
    deletes: VecDeque<Deletes>,
    completed: Vec<RecordLocation>,
    /// When the first of `deletes` and `completed` came.
    deletes_since: Option<Instant>,
    /// How many deletions came so far, and how many of them were taken.
    deletes_come: u64,
    deletes_taken: u64,
    /// Each with how many deletions came before it.
    writes: VecDeque<(u64, Write)>,
    closing: bool,
    /// The task that waits for work, where no thread does.
    task: Option<Waker>,
}

/// What waits for the committer.
#[derive(Default)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

/// How long deletions wait for others, and for accepts to go with: a crash in this time repeats them.
const DELETE_DELAY: Duration = Duration::from_millis(10);

impl Inbox {
    /// False when the store is being closed.
    pub(super) fn accept(&self, accept: Accept) -> bool {
        self.push(|waiting| waiting.accepts.push_back(accept))
    }

    /// False when the store is being closed.
    pub(super) fn write(&self, write: Write) -> bool {
        self.push(|waiting| waiting.writes.push_back((waiting.deletes_come, write)))
    }

    fn push(&self, push: impl FnOnce(&mut Waiting)) -> bool {
        let mut waiting = self.waiting.lock().ignore_poison();
        if waiting.closing {
            return false;
        }
        push(&mut waiting);
        self.arrived(waiting);
        true
    }

    pub(super) fn delete(&self, deletes: Deletes) {
        self.push_removal(|waiting| {
            waiting.deletes_come += 1;
            waiting.deletes.push_back(deletes);
        });
    }

    pub(super) fn complete(&self, completed: &[RecordLocation]) {
        self.push_removal(|waiting| waiting.completed.extend_from_slice(completed));
    }

    fn push_removal(&self, push: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.waiting.lock().ignore_poison();
        push(&mut waiting);
        // One that waits for work must learn of the first; the others it finds when their time has come.
        if waiting.deletes_since.is_none() {
            waiting.deletes_since = Some(Instant::now());
            self.arrived(waiting);
        }
    }

    pub(super) fn close(&self) {
        let mut waiting = self.waiting.lock().ignore_poison();
        waiting.closing = true;
        self.arrived(waiting);
    }

    /// Wakes whoever waits for work.
    fn arrived(&self, mut waiting: MutexGuard<'_, Waiting>) {
        let task = waiting.task.take();
        drop(waiting);
        self.arrived.notify_one();
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Closes the inbox for want of a committer: whoever waits gets no answer any more.
    pub(super) fn abandon(&self) {
        *self.waiting.lock().ignore_poison() = Waiting { closing: true, ..Waiting::default() };
    }

    /// Waits for work, at most for `patience`, and takes about `entries` notifications and as many
    /// deletions of it.
    pub(super) fn take(&self, entries: usize, patience: Duration) -> Work {
        let start = Instant::now();
        let mut waiting = self.waiting.lock().ignore_poison();
        loop {
            let left = waiting.patience(patience.saturating_sub(start.elapsed()));
            if left.is_zero() {
                break;
            }
            waiting = self.arrived.wait_timeout(waiting, left).ignore_poison().0;
        }
        waiting.take(entries)
    }

    /// Waits for work as [`Inbox::take`] does, without a thread of its own.
    pub(super) async fn wait(&self, patience: Duration) {
        let end = Instant::now() + patience;
        let mut timer = pin!(sleep_until(end));
        poll_fn(|cx| {
            loop {
                let mut waiting = self.waiting.lock().ignore_poison();
                let left = waiting.patience(end.saturating_duration_since(Instant::now()));
                if left.is_zero() {
                    return Poll::Ready(());
                }
                waiting.task = Some(cx.waker().clone());
                drop(waiting);
                timer.as_mut().reset(Instant::now() + left);
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await;
    }
}

impl Waiting {
    /// How long the committer may still wait for more, at most `patience`.
    fn patience(&self, patience: Duration) -> Duration {
        if self.closing || !self.accepts.is_empty() || !self.writes.is_empty() {
            return Duration::ZERO;
        }
        let due = self.deletes_since.map(|since| DELETE_DELAY.saturating_sub(since.elapsed()));
        due.map_or(patience, |due| due.min(patience))
    }

    fn take(&mut self, entries: usize) -> Work {
        let all = self.accepts.len();
        let accepts = take_about(&mut self.accepts, all, entries, |accept| accept.items.len());
        // A deletion and a write may be of one row: each is made after those that came before it.
        let before_writes = self.writes.front().map_or(self.deletes_come, |(before, _)| *before);
        let most = usize::try_from(before_writes - self.deletes_taken).unwrap_or(usize::MAX);
        let deletes = take_about(&mut self.deletes, most, entries, |deletes| deletes.seqs.len());
        self.deletes_taken += deletes.len() as u64;
        self.deletes_since = (!self.deletes.is_empty()).then(Instant::now);
        let due = self.writes.partition_point(|(before, _)| *before <= self.deletes_taken);
        let writes = self.writes.drain(..due).map(|(_, write)| write).collect();
        let completed = std::mem::take(&mut self.completed);
        Work { accepts, deletes, completed, writes, closing: self.closing }
    }
}

/// The first of `queue`, at most `most`, that together have about `count` elements; at least one of them.
fn take_about<T>(queue: &mut VecDeque<T>, most: usize, count: usize, len: impl Fn(&T) -> usize) -> Vec<T> {
    let (mut taken, mut sum) = (0, 0);
    for element in queue.iter().take(most) {
        sum += len(element);
        taken += 1;
        if sum >= count {
            break;
        }
    }
    queue.drain(..taken).collect()
}
