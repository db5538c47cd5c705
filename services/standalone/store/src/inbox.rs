//! Work that waits for the committer.
//!
//! Notifications and writes are taken at once. Deletions wait up to 10 ms for others. A write is taken only
//! together with, or after, all deletions that came before it, because both may concern the same row.

use std::collections::VecDeque;
use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Poll, Waker};
use std::time::Duration;

use contract_notifications_v1::{Notification, UserId};
use fjall::Slice;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{Instant, sleep_until};

use shared_sync::IgnorePoison as _;

use super::Accepted;
use super::codec::Seq;
use super::commit_position::Keyspace;
use super::dedup::Fingerprint;
use super::error::AcceptError;
use super::pending_records::RecordLocation;
use super::settings::Origin;

/// A notification prepared for its commit.
pub(super) struct Prepared {
    pub(super) value: Slice,
    pub(super) notification: Arc<Notification>,
    /// Hash of its id, if it is deduplicated.
    pub(super) fingerprint: Option<Fingerprint>,
    /// The dead letter that it replaces.
    pub(super) redriven: Option<Seq>,
}

/// Notifications of one producer or client.
pub(super) struct Accept {
    pub(super) origin: Origin,
    pub(super) items: Vec<Prepared>,
    pub(super) answer: oneshot::Sender<Result<Vec<Accepted>, AcceptError>>,
    /// The memory that the items take. It is theirs, not the caller's, who may stop waiting.
    pub(super) room: OwnedSemaphorePermit,
}

/// Rows of one user to delete, and the dead letter that one of them becomes, if any.
pub(super) struct Deletes {
    pub(super) user: UserId,
    pub(super) seqs: Arc<[Seq]>,
    pub(super) dead: Option<(Seq, Vec<u8>)>,
    /// The pending record of the notification that becomes a dead letter, if it is in one.
    pub(super) pending: Option<RecordLocation>,
}

/// One key to write, or to remove if there is no value.
pub(super) struct Change {
    pub(super) keyspace: Keyspace,
    pub(super) key: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
}

/// Changes of one commit, no two of the same key.
pub(super) struct Write {
    pub(super) changes: Vec<Change>,
    /// The highest sequence of the rows among them, if there are any.
    pub(super) highest: Option<Seq>,
    /// Pending notifications that get rows.
    pub(super) pending_records: Vec<RecordLocation>,
    /// True if the changes may wait up to a second for a sync that others need, and those that add rows are refused
    /// when the disk has no room for clients' messages.
    pub(super) lazy: bool,
    pub(super) answer: oneshot::Sender<Result<(), AcceptError>>,
}

impl Write {
    /// Answers with an error and makes no change.
    pub(super) fn refuse(self, error: AcceptError) {
        // A caller that stopped waiting needs no answer.
        _ = self.answer.send(Err(error));
    }
}

/// The work that the committer takes at once.
#[derive(Default)]
pub(super) struct Work {
    pub(super) accepts: Vec<Accept>,
    pub(super) deletes: Vec<Deletes>,
    /// Completed pending notifications.
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
    /// Time at which the first of `deletes` and `completed` came.
    deletes_since: Option<Instant>,
    /// Number of deletions that came so far, and of those that were taken.
    deletes_come: u64,
    deletes_taken: u64,
    /// Writes, each with the number of deletions that came before it.
    writes: VecDeque<(u64, Write)>,
    closing: bool,
    /// Time at which the committer's thread ends its wait by itself; `None` while it does not wait.
    alarm: Option<Instant>,
    /// True if the committer's thread has to look after the committer before it waits again.
    look: bool,
    /// The task that waits for work where no thread does.
    task: Option<Waker>,
}

/// Work that waits for the committer.
#[derive(Default)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

/// Time for which deletions wait for others, and for notifications to share a commit with. A crash in this
/// time repeats the deliveries of the deleted rows.
const DELETE_DELAY: Duration = Duration::from_millis(10);

impl Inbox {
    /// Adds notifications. Returns false if the store is being closed.
    pub(super) fn accept(&self, accept: Accept) -> bool {
        self.push(|waiting| waiting.accepts.push_back(accept))
    }

    /// Adds changes. Returns false if the store is being closed.
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
        // A waiting committer must learn of the first deletion, unless it looks soon; it finds the others when their
        // time has come.
        if waiting.deletes_since.is_none() {
            let now = Instant::now();
            waiting.deletes_since = Some(now);
            if waiting.alarm.is_none_or(|alarm| alarm > now + 2 * DELETE_DELAY) {
                self.arrived(waiting);
            }
        }
    }

    pub(super) fn close(&self) {
        let mut waiting = self.waiting.lock().ignore_poison();
        waiting.closing = true;
        self.arrived(waiting);
    }

    /// Wakes the thread or task that waits for work.
    fn arrived(&self, mut waiting: MutexGuard<'_, Waiting>) {
        let task = waiting.task.take();
        drop(waiting);
        self.arrived.notify_one();
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Closes the inbox of a committer that is gone. Callers that wait for an answer find it dropped.
    pub(super) fn abandon(&self) {
        *self.waiting.lock().ignore_poison() = Waiting { closing: true, ..Waiting::default() };
    }

    /// Takes about `entries` notifications and as many deletions.
    pub(super) fn take(&self, entries: usize) -> Work {
        self.waiting.lock().ignore_poison().take(entries)
    }

    /// Takes a request, and the deletions that wait. Returns the request if another or a write waits, or the inbox is
    /// closed.
    pub(super) fn take_alone(&self, accept: Accept) -> Result<Work, Accept> {
        let mut waiting = self.waiting.lock().ignore_poison();
        if waiting.closing || !waiting.accepts.is_empty() || !waiting.writes.is_empty() {
            return Err(accept);
        }
        waiting.accepts.push_back(accept);
        Ok(waiting.take(usize::MAX))
    }

    /// Waits on the committer's thread for work, at most `patience`.
    pub(super) fn wait_here(&self, patience: Duration) {
        let end = Instant::now() + patience;
        let mut waiting = self.waiting.lock().ignore_poison();
        while !std::mem::take(&mut waiting.look) {
            let now = Instant::now();
            let left = waiting.patience(end.saturating_duration_since(now));
            if left.is_zero() {
                break;
            }
            waiting.alarm = Some(now + left);
            waiting = self.arrived.wait_timeout(waiting, left).ignore_poison().0;
        }
        waiting.alarm = None;
    }

    /// Has the committer's thread look after the committer within `patience`.
    pub(super) fn look_within(&self, patience: Duration) {
        let mut waiting = self.waiting.lock().ignore_poison();
        let latest = Instant::now() + patience;
        if waiting.alarm.is_none_or(|alarm| alarm > latest) {
            waiting.look = true;
            self.arrived(waiting);
        }
    }

    /// Waits for work as [`Inbox::wait_here`] does, without a thread.
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
    /// Returns the time for which the committer may wait for more work, at most `patience`.
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
        // A deletion and a write may concern one row, so each is made after those that came before it.
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

/// Takes the first elements of `queue`, at most `most`, that have about `count` items together; at least one
/// element.
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
