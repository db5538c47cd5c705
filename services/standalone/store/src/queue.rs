//! Leases runs of entries to receivers and completes them.
//!
//! A run is the next entries of one user. A lease has no timeout of its own: it ends when it is completed or
//! dropped.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use contract_notifications_v1::{Notification, UserId, WhenOffline};
use dispatcher::core::run::{Entry, Outcome};
use dispatcher::core::visibility;
use dispatcher::ports::NotificationQueue;
use futures_util::future::{Either, select};
use shared_ports::{Clock, PortError};
use std::pin::pin;

use super::Store;
use super::codec::{Seq, decode, sequence};
use super::core::Core;
use super::dead_letters;
use super::error::StoreError;
use super::inbox::Deletes;
use super::pending_records::RecordLocation;
use super::queued::{Queued, queued_bytes};
use super::user::{Completed, LeaseLimits, Start, User};

/// A lease of one user's next entries. No other receiver gets entries of that user until it is completed.
///
/// Dropping it counts as a failure of every entry. They are received again after a delay that grows with the
/// number of receives ([`visibility::after_failure`]), or the first becomes a dead letter if it was received
/// `max_receive_count` times.
pub struct Lease<K: Clock> {
    core: Arc<Core<K>>,
    user: UserId,
    entries: Vec<Entry<Arc<Notification>>>,
    run: u64,
    completed: bool,
}

impl<K: Clock> Lease<K> {
    /// The user.
    pub const fn user(&self) -> &UserId {
        &self.user
    }

    /// The entries, in order.
    pub fn entries(&self) -> &[Entry<Arc<Notification>>] {
        &self.entries
    }

    /// Takes the entries out, for the dispatcher.
    pub fn take_entries(&mut self) -> Vec<Entry<Arc<Notification>>> {
        std::mem::take(&mut self.entries)
    }

    /// Completes the lease with the outcome of each entry, in order. An entry without an outcome is retried.
    pub fn complete(mut self, outcomes: &[Outcome]) {
        self.complete_as(outcomes);
    }

    fn complete_as(&mut self, outcomes: &[Outcome]) {
        if !std::mem::replace(&mut self.completed, true) {
            self.core.complete(&self.user, self.run, outcomes);
        }
    }
}

impl<K: Clock> Drop for Lease<K> {
    fn drop(&mut self) {
        self.complete_as(&[]);
    }
}

impl<K: Clock> std::fmt::Debug for Lease<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Lease");
        debug.field("user", &self.user).field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

impl<K: Clock> Core<K> {
    /// Leases the next run, and waits until there is one.
    pub(super) async fn receive(self: &Arc<Self>) -> Lease<K>
    where
        K: 'static,
    {
        loop {
            let timer = match self.try_receive(true) {
                Ok(lease) => return lease,
                Err(timer) => timer,
            };
            let woken = pin!(self.woken.notified());
            match timer {
                None => woken.await,
                Some(delay) => match select(woken, pin!(self.clock.sleep(delay))).await {
                    Either::Left(_) | Either::Right(_) => {}
                },
            }
        }
    }

    /// Leases the next run, or returns the time until the next waiting user becomes visible. With `in_task`, a user
    /// whose notifications must be read from disk first is read in a task, and leased later.
    pub(super) fn try_receive(self: &Arc<Self>, in_task: bool) -> Result<Lease<K>, Option<Duration>>
    where
        K: 'static,
    {
        loop {
            let now = self.clock.moment();
            let next = self.expire_timers(now);
            let Some(user) = self.next_ready() else {
                return Err(next.map(|at| at.since(now)));
            };
            if let Some(lease) = self.start(user, in_task) {
                return Ok(lease);
            }
            self.in_flight.fetch_sub(1, Ordering::Release);
        }
    }

    fn start(self: &Arc<Self>, user: UserId, in_task: bool) -> Option<Lease<K>>
    where
        K: 'static,
    {
        let limits = LeaseLimits { entries: self.settings.run_entries, bytes: self.settings.run_bytes };
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        loop {
            match self.with_user(&user, |state| state.start(run, limits)) {
                Start::Nothing => return None,
                Start::NeedsRead(first, last) => {
                    if in_task && self.warm_in_task(&user, first, last) {
                        return None;
                    }
                    if let Err(error) = self.warm(&user, first, last) {
                        self.warm_again_later(user, &error);
                        return None;
                    }
                }
                Start::Lease(entries) => {
                    return Some(Lease { core: Arc::clone(self), user, entries, run, completed: false });
                }
            }
        }
    }

    /// Notes that queued notifications could not be read, and makes their user wait for the next attempt.
    pub(super) fn warm_again_later(&self, user: UserId, error: &StoreError) {
        let error = shared_telemetry::chain(error);
        tracing::warn!(error, "queued notifications can't be read and are tried again");
        self.with_user(&user, |state| (state.ready, state.waiting) = (false, true));
        self.wait_until(self.clock.moment().plus(visibility::after_failure(1)), user);
    }

    /// Reads the next queued notifications back from disk, enough for one lease. Unreadable ones become dead
    /// letters.
    pub(super) fn warm(&self, user: &UserId, first: Seq, last: Seq) -> Result<(), StoreError> {
        let engine = self.reader()?;
        let (mut rows, mut bad, mut bytes, mut read_to) = (Vec::new(), Vec::new(), 0, last);
        for row in engine.scan(user, first, last) {
            let (seq, value) = row?;
            match decode(user, &value) {
                Ok(notification) => {
                    let size = queued_bytes(&value);
                    bytes += size;
                    rows.push(Queued::new(seq, Arc::new(notification), size));
                }
                Err(reason) => {
                    bad.push((
                        seq,
                        dead_letters::encode(self.clock.now(), &reason.to_string(), user, &value),
                    ));
                }
            }
            if rows.len() >= self.settings.run_entries || bytes >= self.settings.run_bytes {
                read_to = seq;
                break;
            }
        }
        drop(engine);
        self.finished(bad.len(), 0);
        let hot = self.with_user(user, |state| {
            self.dead_letter_rows(user, state, bad);
            state.warm(rows, read_to)
        });
        self.hot_bytes.fetch_add(hot, Ordering::Relaxed);
        Ok(())
    }

    /// Turns rows into dead letters.
    pub(super) fn dead_letter_rows(&self, user: &UserId, state: &mut User, bad: Vec<(Seq, Vec<u8>)>) {
        for (seq, letter) in bad {
            self.dead_letter(user, state, seq, letter, None);
        }
    }

    /// Turns a notification into a dead letter, whether it has a row or stands in a pending record.
    fn dead_letter(
        &self,
        user: &UserId,
        state: &mut User,
        seq: Seq,
        letter: Vec<u8>,
        pending: Option<RecordLocation>,
    ) {
        let (user_hash, sequence) = (shared_telemetry::user_hash(user), sequence(seq));
        tracing::warn!(user = %user_hash, %sequence, "a notification became a dead letter");
        metrics::counter!("tidings_dead_letters_total").increment(1);
        self.dead_letters.fetch_add(1, Ordering::Relaxed);
        let deletes = Deletes { user: user.clone(), seqs: [seq].into(), dead: Some((seq, letter)), pending };
        self.delete_soon(state, deletes);
    }

    /// Returns true for a notification that an earlier process left and that is only for connected users: all
    /// connections of that process are gone.
    pub(super) fn is_leftover(&self, seq: Seq, notification: &Notification) -> bool {
        seq < self.first_own && notification.when_offline == WhenOffline::Drop
    }

    fn complete(&self, user: &UserId, run: u64, outcomes: &[Outcome]) {
        let (wake, failed, freed) = self.with_user(user, |state| {
            let Completed { deletes, pending_records, dead, freed, held_bytes, failed, finished, held } =
                state.complete(run, outcomes, self.settings.max_receive_count);
            self.finished(finished, held);
            self.held_bytes.fetch_add(held_bytes, Ordering::Relaxed);
            if !pending_records.is_empty() {
                self.inbox.complete(&pending_records);
            }
            self.delete_later(user, state, deletes);
            if let Some(queued) = dead {
                let reason = format!("received {} times", queued.receives);
                let value = super::codec::encode(&queued.notification);
                let letter = dead_letters::encode(self.clock.now(), &reason, user, &value);
                self.dead_letter(user, state, queued.seq, letter, queued.pending);
            }
            let failed = failed.filter(|_| state.has_work());
            state.waiting |= failed.is_some();
            (state.wake(), failed, freed)
        });
        self.hot_bytes.fetch_sub(freed, Ordering::Relaxed);
        if let Some(receives) = failed {
            self.wait_until(self.clock.moment().plus(visibility::after_failure(receives)), user.clone());
        }
        if wake {
            self.make_ready([user.clone()]);
        }
        self.in_flight.fetch_sub(1, Ordering::Release);
    }
}

impl<K: Clock + 'static> NotificationQueue for Store<K> {
    async fn send(&self, notifications: Vec<Notification>) -> Result<(), PortError> {
        // Only clients send broadcasts.
        let accepted = self.accept_from_clients(notifications).await;
        accepted
            .map(drop)
            .map_err(|error| PortError::retryable("queueing a broadcast's notifications", error))
    }
}
