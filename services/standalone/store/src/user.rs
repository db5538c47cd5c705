//! The state of one user in memory: the queue, the lease in flight, and the known part of the mailbox.
//!
//! The disk does not say if a row is an entry of the queue or a row of the mailbox. This state does: entries
//! are those in `queue` and in `cold`. A user's leases are completed in order, so every other row of the user
//! is held and comes before them. An entry that the dispatcher has put into the mailbox is marked `held` and
//! stays on disk when it is completed.
//!
//! An entry that was pushed usually leaves the mailbox within a round trip, when the client acknowledges it. If
//! such an entry stands in a pending record, it gets no row for that time: it stays in memory, in
//! `held_pending`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use contract_notifications_v1::Notification;
use dispatcher::core::ConnectionSet;
use dispatcher::core::batch::item;
use dispatcher::core::run::{Entry, Outcome};

use super::codec::{Seq, sequence};
use super::held_pending::HeldPending;
use super::pending_records::RecordLocation;
use super::queued::Queued;

/// Source of the first version number of users' states. No two states have the same number, so that a page read from
/// disk can tell whether it is still valid.
static EPOCH: AtomicU64 = AtomicU64::new(0);

/// Distance of the first version numbers of two states: more than the changes that one sees.
const EPOCHS: u64 = 1 << 32;

fn first_epoch() -> u64 {
    EPOCH.fetch_add(EPOCHS, Ordering::Relaxed)
}

/// The lease in flight.
struct Flight {
    id: u64,
    /// Number of entries, counted from the front of the queue.
    entries: usize,
    replay: Option<Seq>,
    /// True if the mailbox was read, which only leases that see a connection do.
    paged: bool,
}

/// The state of a user in memory.
pub(super) struct User {
    queue: VecDeque<Queued>,
    /// Number of entries that are in the mailbox, too.
    held: usize,
    /// First and last row on disk that are queued behind `queue`.
    cold: Option<(Seq, Seq)>,
    /// Bound of the replay entry: the held rows up to this one are to be delivered.
    replay: Option<Seq>,
    replay_receives: u32,
    flight: Option<Flight>,
    /// True in the ready list, and while a receiver takes the user from it.
    pub(super) ready: bool,
    /// True while the user waits after a failure.
    pub(super) waiting: bool,
    /// Known held rows, with the connections to which each was pushed. It has all rows before `known_to`; of
    /// those behind, only pushed ones.
    pub(super) rows: BTreeMap<Seq, ConnectionSet>,
    pub(super) known_to: Seq,
    /// Held notifications that were pushed and have no row: they stand in pending records. `rows` has each.
    pub(super) held_pending: HeldPending,
    /// Deleted rows that may still be on disk, oldest first.
    pub(super) deleting: VecDeque<Arc<[Seq]>>,
    /// Changes whenever `rows` and `known_to` may contradict a page that is being read from disk.
    pub(super) epoch: u64,
}

impl Default for User {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            held: 0,
            cold: None,
            replay: None,
            replay_receives: 0,
            flight: None,
            ready: false,
            waiting: false,
            rows: BTreeMap::new(),
            known_to: 0,
            held_pending: HeldPending::default(),
            deleting: VecDeque::new(),
            epoch: first_epoch(),
        }
    }
}

/// Limits of one lease.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeaseLimits {
    pub(super) entries: usize,
    pub(super) bytes: usize,
}

/// The result of asking for a lease.
pub(super) enum Start {
    /// There is nothing to do now.
    Nothing,
    /// Rows from the first to the last must be read from disk, and passed to [`User::warm`].
    NeedsRead(Seq, Seq),
    /// A lease.
    Lease(Vec<Entry<Arc<Notification>>>),
}

/// The result of completing a lease.
#[derive(Default)]
pub(super) struct Completed {
    /// Rows to delete.
    pub(super) deletes: Vec<Seq>,
    /// Completed pending notifications without rows.
    pub(super) pending_records: Vec<RecordLocation>,
    /// An entry that failed too often.
    pub(super) dead: Option<Queued>,
    /// Bytes of queued notifications that are gone.
    pub(super) freed: usize,
    /// Bytes of queued notifications that are held in memory now.
    pub(super) held_bytes: usize,
    /// Number of notifications that left the queue.
    pub(super) finished: usize,
    /// Number of those that are held now.
    pub(super) held: usize,
    /// Number of receives of the failed entry.
    pub(super) failed: Option<u32>,
}

/// The change on disk that removing a row from the mailbox requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removed {
    /// The notification in the pending record is completed. Its row has to be deleted if it may have one.
    Pending {
        /// Its location.
        location: RecordLocation,
        /// Bytes of memory that it took.
        bytes: usize,
        /// True if it may have a row.
        perhaps_row: bool,
    },
    /// None: there is no such row, its deletion is under way, or it is queued, too.
    Nothing,
    /// The row has to be deleted.
    Held,
    /// The row has to be deleted if the disk has it.
    Unknown,
}

impl User {
    /// Returns true if something can be received, now or later.
    pub(super) fn has_work(&self) -> bool {
        !self.queue.is_empty() || self.cold.is_some() || self.replay.is_some()
    }

    /// Returns true if dropping the state loses nothing.
    pub(super) fn is_idle(&self) -> bool {
        !self.has_work()
            && self.flight.is_none()
            && !self.ready
            && self.deleting.is_empty()
            && self.rows.is_empty()
            && self.held_pending.is_empty()
            && self.known_to == 0
    }

    /// Makes the user ready if possible. Returns true if the caller must add it to the ready list.
    pub(super) fn wake(&mut self) -> bool {
        let wake = self.has_work() && self.flight.is_none() && !self.ready && !self.waiting;
        self.ready |= wake;
        wake
    }

    /// Queues a notification that is on disk, in memory if `room` says so, and returns the bytes of memory it
    /// takes.
    pub(super) fn publish(&mut self, queued: Queued, room: bool, hot_entries: usize) -> usize {
        if let Some((_, last)) = &mut self.cold {
            *last = queued.seq;
            return 0;
        }
        // It has no row to be read back from; memory was reserved before it was written.
        let stays = queued.pending.is_some();
        if stays || room && self.queue.len() < hot_entries {
            let bytes = queued.bytes;
            self.queue.push_back(queued);
            return bytes;
        }
        self.cold = Some((queued.seq, queued.seq));
        0
    }

    /// Returns the number of notifications that may be queued here before they have to be read back from
    /// disk.
    pub(super) fn room(&self, hot_entries: usize) -> usize {
        if self.cold.is_some() { 0 } else { hot_entries.saturating_sub(self.queue.len()) }
    }

    pub(super) fn enqueue_replay(&mut self, bound: Seq) {
        self.replay = Some(self.replay.map_or(bound, |other| other.max(bound)));
    }

    /// Returns the first queued row. Every row of the user before it is held.
    pub(super) fn first_queued(&self) -> Option<Seq> {
        self.queue.front().map(|queued| queued.seq).or(self.cold.map(|(first, _)| first))
    }

    /// Starts the next lease, with number `id`.
    pub(super) fn start(&mut self, id: u64, limits: LeaseLimits) -> Start {
        if self.flight.is_some() || self.waiting {
            self.ready = false;
            return Start::Nothing;
        }
        if let (true, Some((first, last))) = (self.queue.is_empty(), self.cold) {
            return Start::NeedsRead(first, last);
        }
        self.ready = false;
        if !self.has_work() {
            return Start::Nothing;
        }
        let replay = self.replay.take();
        let expected = self.queue.len().min(limits.entries) + usize::from(replay.is_some());
        let mut entries = Vec::with_capacity(expected);
        if let Some(bound) = replay {
            self.replay_receives = self.replay_receives.saturating_add(1);
            entries.push(Entry::Replay(sequence(bound)));
        }
        let (mut count, mut bytes) = (0, 0);
        for queued in self.queue.iter_mut().take(limits.entries.max(1)) {
            bytes += queued.bytes;
            if count > 0 && bytes > limits.bytes {
                break;
            }
            count += 1;
            queued.receives = queued.receives.saturating_add(1);
            let item = item(Arc::clone(&queued.notification), sequence(queued.seq));
            entries.push(Entry::Notification { item, redelivered: queued.receives > 1 });
        }
        self.flight = Some(Flight { id, entries: count, replay, paged: false });
        Start::Lease(entries)
    }

    /// Adds rows read back from disk to the queue: all rows up to `read_to`. Returns the bytes of memory they
    /// take.
    pub(super) fn warm(&mut self, rows: Vec<Queued>, read_to: Seq) -> usize {
        let bytes = rows.iter().map(|queued| queued.bytes).sum();
        self.queue.extend(rows);
        self.cold = self.cold.and_then(|(first, last)| {
            let first = first.max(read_to.saturating_add(1));
            (first <= last).then_some((first, last))
        });
        bytes
    }

    /// Completes the lease number `id`. Entries without an outcome are retried.
    pub(super) fn complete(&mut self, id: u64, outcomes: &[Outcome], max_receives: u32) -> Completed {
        let mut completed = Completed::default();
        let Some(flight) = self.flight.take_if(|flight| flight.id == id) else { return completed };
        let mut outcomes = outcomes.iter().copied().chain(std::iter::repeat(Outcome::Retry));
        if let Some(bound) = flight.replay {
            if outcomes.next() == Some(Outcome::Done) {
                self.replay_receives = 0;
            } else {
                completed.failed = Some(self.replay_receives);
                self.enqueue_replay(bound);
            }
        }
        let mut kept = Vec::new();
        for outcome in outcomes.take(flight.entries) {
            let Some(queued) = self.queue.pop_front() else { break };
            if outcome == Outcome::Retry && !queued.acknowledged {
                completed.failed = completed.failed.or(Some(queued.receives));
                if kept.is_empty() && completed.dead.is_none() && queued.receives >= max_receives {
                    completed.freed += queued.bytes;
                    self.held -= usize::from(queued.held);
                    completed.finished += 1;
                    completed.dead = Some(queued);
                } else {
                    kept.push(queued);
                }
                continue;
            }
            completed.finished += 1;
            if queued.held {
                self.held -= 1;
                completed.held += 1;
                if queued.pending.is_some() {
                    completed.held_bytes += queued.bytes;
                    self.held_pending.insert(queued);
                    self.changed();
                } else {
                    completed.freed += queued.bytes;
                    if !queued.pushed_to.is_empty() {
                        self.rows.insert(queued.seq, queued.pushed_to);
                    }
                    self.hold(queued.seq);
                }
            } else {
                completed.freed += queued.bytes;
                completed.pending_records.extend(queued.pending);
                if queued.pending.is_none() || queued.perhaps_row {
                    completed.deletes.push(queued.seq);
                }
            }
        }
        for queued in kept.into_iter().rev() {
            self.queue.push_front(queued);
        }
        if !flight.paged && completed.failed.is_none() {
            self.forget_rows();
        }
        completed
    }

    /// Notes that pages being read from disk are no longer valid.
    const fn changed(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
    }

    /// Records that a row is held now.
    fn hold(&mut self, seq: Seq) {
        if !self.rows.contains_key(&seq) {
            self.known_to = self.known_to.min(seq);
        }
        self.changed();
    }

    /// Returns the sets of connections to which what is in the mailbox was pushed.
    pub(super) fn pushes(&mut self) -> impl Iterator<Item = &mut ConnectionSet> {
        let queued = self.queue.iter_mut().filter(|queued| queued.held).take(self.held);
        let in_memory = queued.chain(self.held_pending.iter_mut()).map(|queued| &mut queued.pushed_to);
        in_memory.chain(self.rows.values_mut())
    }

    /// Forgets pushes and known rows when nobody is connected: the rows can be read again.
    pub(super) fn forget_rows(&mut self) {
        self.pushes().for_each(|pushed_to| *pushed_to = ConnectionSet::new());
        self.rows = BTreeMap::new();
        self.known_to = 0;
        self.changed();
    }

    /// Records that the mailbox has a row that is not queued. Returns the bytes of memory that this frees.
    pub(super) fn written(&mut self, seq: Seq, pushed_to: ConnectionSet) -> usize {
        self.rows.remove(&seq);
        if !pushed_to.is_empty() {
            self.rows.insert(seq, pushed_to);
        }
        self.hold(seq);
        self.held_pending.remove(seq).map_or(0, |held| held.bytes)
    }

    /// Records that a lease reads the mailbox.
    pub(super) fn paged(&mut self) {
        if let Some(flight) = &mut self.flight {
            flight.paged = true;
        }
    }

    /// Returns a queued entry in memory.
    pub(super) fn queued(&mut self, seq: Seq) -> Option<&mut Queued> {
        let at = self.queue.binary_search_by_key(&seq, |queued| queued.seq).ok()?;
        self.queue.get_mut(at)
    }

    /// Returns the queued entries that are in the mailbox, too.
    pub(super) fn held_entries(&self) -> impl Iterator<Item = &Queued> {
        self.queue.iter().filter(|queued| queued.held).take(self.held)
    }

    /// Returns the newest pending notification in memory for which `is_it` is true.
    pub(super) fn newest_pending(&self, is_it: impl Fn(&Notification) -> bool) -> Option<&Queued> {
        let pending = self.queue.iter().rev().filter(|queued| queued.pending.is_some());
        pending.chain(self.held_pending.iter().rev()).find(|queued| is_it(&queued.notification))
    }

    /// Returns a notification in memory, queued or held.
    pub(super) fn in_memory(&mut self, seq: Seq) -> Option<&mut Queued> {
        // Not in one expression: the borrow of the first would last for the second.
        if self.held_pending.contains(seq) {
            return self.held_pending.get_mut(seq);
        }
        self.queued(seq)
    }

    /// Puts a notification in a pending record into the mailbox, pushed to these connections. It gets no row.
    /// Returns false if it is not in memory, or not in a pending record.
    pub(super) fn hold_pending(&mut self, seq: Seq, pushed_to: &ConnectionSet) -> bool {
        if let Some(held) = self.held_pending.get_mut(seq) {
            held.pushed_to = pushed_to.clone();
            return true;
        }
        let Some(queued) = self.queued(seq).filter(|queued| queued.pending.is_some()) else {
            return false;
        };
        queued.acknowledged = false;
        queued.pushed_to = pushed_to.clone();
        let fresh = !std::mem::replace(&mut queued.held, true);
        self.held += usize::from(fresh);
        true
    }

    /// Records that a pending notification has a row now. Returns the bytes of memory that this frees.
    pub(super) fn row_written(&mut self, seq: Seq, location: RecordLocation) -> usize {
        if self.held_pending.get_mut(seq).is_none_or(|queued| queued.pending != Some(location)) {
            return 0;
        }
        let Some(Queued { bytes, pushed_to, .. }) = self.held_pending.remove(seq) else { return 0 };
        if seq < self.known_to || !pushed_to.is_empty() {
            self.rows.insert(seq, pushed_to);
        }
        self.changed();
        bytes
    }

    /// Adds connections to those to which a row was pushed, if the row is in the mailbox. Returns false if memory
    /// does not know whether it is.
    pub(super) fn mark(&mut self, row: Seq, connections: &ConnectionSet) -> bool {
        let in_memory = self.in_memory(row).filter(|queued| queued.held).map(|queued| &mut queued.pushed_to);
        // Not in one expression: the borrow of the first would last for the second.
        if let Some(to) = in_memory {
            to.extend(connections.iter().cloned());
            return true;
        }
        if let Some(to) = self.rows.get_mut(&row) {
            to.extend(connections.iter().cloned());
            return true;
        }
        let is_queued = self.first_queued().is_some_and(|first| row >= first);
        let unknown = !is_queued && row >= self.known_to && !self.is_deleting(row);
        if unknown {
            // Noted before the disk is read, so that a deletion meanwhile removes it again.
            self.rows.insert(row, ConnectionSet::new());
        }
        !unknown
    }

    /// Marks a queued entry, which has a row now, as being in the mailbox too. Returns false if it is not
    /// queued in memory.
    pub(super) fn put(
        &mut self,
        seq: Seq,
        notification: &Arc<Notification>,
        pushed_to: &ConnectionSet,
    ) -> bool {
        let Some(queued) = self.queued(seq) else { return false };
        let fresh = !std::mem::replace(&mut queued.held, true);
        queued.notification = Arc::clone(notification);
        (queued.pending, queued.perhaps_row) = (None, false);
        queued.acknowledged = false;
        queued.pushed_to = pushed_to.clone();
        self.held += usize::from(fresh);
        true
    }

    /// Removes a row from the mailbox and returns the change required on disk. `published` is the first
    /// sequence that is not in the queue yet.
    pub(super) fn remove(&mut self, seq: Seq, acknowledged: bool, published: Seq) -> Removed {
        let queued_from = self.first_queued().map_or(published, |first| first.min(published));
        if seq >= queued_from {
            if let Some(queued) = self.queued(seq).filter(|queued| queued.held) {
                queued.held = false;
                queued.acknowledged = acknowledged;
                queued.pushed_to = ConnectionSet::new();
                self.held -= 1;
            }
            return Removed::Nothing;
        }
        if let Some((location, queued)) =
            self.held_pending.remove(seq).and_then(|queued| Some((queued.pending?, queued)))
        {
            self.changed();
            let Queued { bytes, perhaps_row, .. } = queued;
            return Removed::Pending { location, bytes, perhaps_row };
        }
        if self.rows.remove(&seq).is_some() {
            self.changed();
            return Removed::Held;
        }
        if seq < self.known_to || self.is_deleting(seq) {
            return Removed::Nothing;
        }
        self.changed();
        Removed::Unknown
    }

    /// Returns the rows whose deletion is under way, in ascending order.
    pub(super) fn deleting(&self) -> Vec<Seq> {
        let mut seqs: Vec<Seq> = self.deleting.iter().flat_map(|chunk| chunk.iter().copied()).collect();
        seqs.sort_unstable();
        seqs
    }

    /// Returns true if the row is deleted, whatever the disk says.
    pub(super) fn is_deleting(&self, seq: Seq) -> bool {
        self.deleting.iter().any(|chunk| chunk.contains(&seq))
    }
}
