//! Handing out runs and taking them back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use contract_notifications_v1::{Notification, UserId, WhenOffline};
use dispatcher::core::run::{Entry, Outcome};
use dispatcher::core::visibility;
use dispatcher::ports::Notifications;
use futures_util::future::{Either, select};
use shared_ports::{Clock, PortError};
use std::pin::pin;

use super::arrivals::Place;
use super::codec::{Seq, decode, sequence};
use super::core::Core;
use super::dead;
use super::error::StoreError;
use super::inbox::Deletes;
use super::user::{Queued, RunLimits, Settled, Start, User, queued_bytes};
use super::{Store, Submission};

/// The next entries of one user, who gets no others until this is settled. When it is dropped instead, they
/// are received again after their visibility.
pub struct Received<K: Clock> {
    core: Arc<Core<K>>,
    user: UserId,
    entries: Vec<Entry<Arc<Notification>>>,
    run: u64,
    settled: bool,
}

impl<K: Clock> Received<K> {
    /// Whose entries.
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

    /// Says what became of the entries, in their order; those without an outcome are tried again.
    pub fn settle(mut self, outcomes: &[Outcome]) {
        self.settle_as(outcomes);
    }

    fn settle_as(&mut self, outcomes: &[Outcome]) {
        if !std::mem::replace(&mut self.settled, true) {
            self.core.settle(&self.user, self.run, outcomes);
        }
    }
}

impl<K: Clock> Drop for Received<K> {
    fn drop(&mut self) {
        self.settle_as(&[]);
    }
}

impl<K: Clock> std::fmt::Debug for Received<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Received");
        debug.field("user", &self.user).field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

impl<K: Clock> Core<K> {
    /// The next run; waits until there is one.
    pub(super) async fn receive(self: &Arc<Self>) -> Received<K> {
        loop {
            let timer = match self.try_receive() {
                Ok(received) => return received,
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

    /// The next run, or how long the next user that waits has still to wait.
    pub(super) fn try_receive(self: &Arc<Self>) -> Result<Received<K>, Option<Duration>> {
        loop {
            let now = self.clock.now();
            let next = self.expire_timers(now);
            let Some(user) = self.next_ready() else {
                return Err(next.map(|at| at.since(now)));
            };
            if let Some(received) = self.start(user) {
                return Ok(received);
            }
            self.in_flight.fetch_sub(1, Ordering::Release);
        }
    }

    fn start(self: &Arc<Self>, user: UserId) -> Option<Received<K>> {
        let limits = RunLimits { entries: self.settings.run_entries, bytes: self.settings.run_bytes };
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        loop {
            match self.with_user(&user, |state| state.start(run, limits)) {
                Start::Nothing => return None,
                Start::Cold(first, last) => {
                    if let Err(error) = self.warm(&user, first, last) {
                        let error = shared_telemetry::chain(&error);
                        tracing::warn!(error, "queued notifications can't be read and are tried again");
                        self.with_user(&user, |state| (state.ready, state.waiting) = (false, true));
                        self.wait_until(self.clock.now().plus(visibility::after_failure(1)), user);
                        return None;
                    }
                }
                Start::Run(entries) => {
                    return Some(Received { core: Arc::clone(self), user, entries, run, settled: false });
                }
            }
        }
    }

    /// Reads queued notifications back from disk.
    fn warm(&self, user: &UserId, first: Seq, last: Seq) -> Result<(), StoreError> {
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
                    bad.push((seq, dead::encode(self.clock.now(), &reason.to_string(), user, &value)));
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
            self.bury_rows(user, state, bad);
            state.warm(rows, read_to)
        });
        self.hot_bytes.fetch_add(hot, Ordering::Relaxed);
        Ok(())
    }

    /// Makes dead letters of rows.
    pub(super) fn bury_rows(&self, user: &UserId, state: &mut User, bad: Vec<(Seq, Vec<u8>)>) {
        for (seq, letter) in bad {
            self.bury(user, state, seq, letter, None);
        }
    }

    /// Makes a dead letter of a notification, which has a row or stands elsewhere.
    fn bury(&self, user: &UserId, state: &mut User, seq: Seq, letter: Vec<u8>, arrival: Option<Place>) {
        let (user_hash, sequence) = (shared_telemetry::user_hash(user), sequence(seq));
        tracing::warn!(user = %user_hash, %sequence, "a notification became a dead letter");
        metrics::counter!("tidings_dead_letters_total").increment(1);
        self.dead_letters.fetch_add(1, Ordering::Relaxed);
        let deletes = Deletes { user: user.clone(), seqs: [seq].into(), dead: Some((seq, letter)), arrival };
        self.delete_soon(state, deletes);
    }

    /// Whether a row's notification was not to be held, and is left from an earlier process: no connection
    /// of that time is there any more.
    pub(super) fn is_leftover(&self, seq: Seq, notification: &Notification) -> bool {
        seq < self.first_own && notification.when_offline == WhenOffline::Drop
    }

    fn settle(&self, user: &UserId, run: u64, outcomes: &[Outcome]) {
        let (wake, failed, freed) = self.with_user(user, |state| {
            let Settled { deletes, arrivals, dead, freed, failed, finished, held } =
                state.settle(run, outcomes, self.settings.max_receive_count);
            self.finished(finished, held);
            if !arrivals.is_empty() {
                self.inbox.settle(&arrivals);
            }
            self.delete_later(user, state, deletes);
            if let Some(queued) = dead {
                let reason = format!("received {} times", queued.receives);
                let value = super::codec::encode(&queued.notification);
                let letter = dead::encode(self.clock.now(), &reason, user, &value);
                self.bury(user, state, queued.seq, letter, queued.arrival);
            }
            let failed = failed.filter(|_| state.has_work());
            state.waiting |= failed.is_some();
            (state.wake(), failed, freed)
        });
        self.hot_bytes.fetch_sub(freed, Ordering::Relaxed);
        if let Some(receives) = failed {
            self.wait_until(self.clock.now().plus(visibility::after_failure(receives)), user.clone());
        }
        if wake {
            self.make_ready([user.clone()]);
        }
        self.in_flight.fetch_sub(1, Ordering::Release);
    }
}

impl<K: Clock + 'static> Notifications for Store<K> {
    async fn send(&self, notifications: Vec<Notification>) -> Result<(), PortError> {
        let accepted = self.accept(notifications.into_iter().map(Submission::deduplicated).collect()).await;
        accepted
            .map(drop)
            .map_err(|error| PortError::retryable("queueing a broadcast's notifications", error))
    }
}
