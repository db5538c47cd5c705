//! Broadcasts: on disk from their acceptance until each member of the hub has its notification.
//!
//! [`Broadcasts`] accepts them from any task; one task, [`run_broadcasts`], fans them out. Each hub's broadcasts stay
//! in order, and hubs take turns. A hub's notices of who comes and goes take turns of their own, so that a crowd that
//! comes and goes holds up no message.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract_notifications_v1::{FanOut, HubName, Notification, NotificationId, QueueEntry, Timestamp};
use dispatcher::fan_out;
use dispatcher::ports::{HubMembers, NotificationQueue};
use futures_util::future::{Either, select};
use shared_ports::{Clock, PortError};
use shared_retry::{Jitter, RetryPolicy};
use shared_sync::IgnorePoison as _;
use tidings_store::{AcceptError, Origin, Store, StoreError, Table};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use ws_edge::PRESENCE_KIND;
use ws_edge::ports::FanOutProgress;

/// Longest time for which the sender of a broadcast waits until the members have their notifications.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Name of the table of broadcasts.
const TABLE: &str = "broadcasts";

/// Settings of the fan-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BroadcastSettings {
    /// Maximum number of members served before the next hub's turn.
    pub members: usize,
    /// Maximum number of waiting broadcasts; further ones are refused.
    pub waiting: usize,
    /// Maximum number of waiting broadcasts of one sender; further ones are refused.
    pub waiting_of_sender: usize,
    /// Maximum number of waiting notices of who comes and goes, beside the broadcasts; further ones are refused.
    pub waiting_notices: usize,
    /// Delays between the attempts of a step.
    pub retry: RetryPolicy,
}

impl Default for BroadcastSettings {
    fn default() -> Self {
        Self {
            members: dispatcher::DEFAULT_MEMBERS,
            waiting: 10_000,
            waiting_of_sender: 1_000,
            waiting_notices: 1_000,
            retry: RetryPolicy { initial: Duration::from_millis(100), max: Duration::from_secs(10) },
        }
    }
}

/// A broadcast and the key of its row.
#[derive(Debug)]
struct Job {
    key: u64,
    entry: FanOut,
    /// Its share of [`BroadcastSettings::waiting`].
    #[expect(dead_code, reason = "it is given back when the job is dropped")]
    slot: Slot,
    /// Told how far the broadcast is after its first step.
    first_step: Option<oneshot::Sender<FanOutProgress>>,
}

impl Job {
    fn report(&mut self, progress: FanOutProgress) {
        if let Some(first_step) = self.first_step.take() {
            // The sender may be gone.
            let _ = first_step.send(progress);
        }
    }
}

/// The number of waiting broadcasts, of all senders and of each.
#[derive(Debug, Default)]
struct Waiting {
    all: usize,
    by_sender: HashMap<Box<str>, usize>,
}

/// A place among the waiting broadcasts. Dropping it gives it back.
#[derive(Debug)]
struct Slot {
    waiting: Arc<Mutex<Waiting>>,
    sender: Box<str>,
}

impl Slot {
    /// Takes a place if fewer than `most` are taken, and fewer than `most_of_sender` by the broadcast's sender.
    fn take(
        waiting: &Arc<Mutex<Waiting>>,
        entry: &FanOut,
        most: usize,
        most_of_sender: usize,
    ) -> Result<Self, TooMany> {
        let sender = entry.source.clone().unwrap_or_default();
        let mut counts = waiting.lock().ignore_poison();
        let own = counts.by_sender.get(&sender).copied().unwrap_or(0);
        if counts.all >= most || own >= most_of_sender {
            return Err(TooMany { waiting: counts.all, own });
        }
        counts.all += 1;
        counts.by_sender.insert(sender.clone(), own + 1);
        drop(counts);
        Ok(Self { waiting: Arc::clone(waiting), sender })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.waiting.lock().ignore_poison();
        counts.all = counts.all.saturating_sub(1);
        if let Some(own) = counts.by_sender.get_mut(&self.sender) {
            *own -= 1;
            if *own == 0 {
                counts.by_sender.remove(&self.sender);
            }
        }
    }
}

/// Accepts broadcasts. Clones share the broadcasts that wait.
#[derive(Clone)]
pub struct Broadcasts<K: Clock + 'static> {
    store: Store<K>,
    table: Table<K>,
    clock: K,
    jobs: UnboundedSender<Job>,
    next: Arc<AtomicU64>,
    waiting: Arc<Mutex<Waiting>>,
    waiting_notices: Arc<Mutex<Waiting>>,
    settings: BroadcastSettings,
}

/// The other end of [`Broadcasts`], for [`run_broadcasts`].
#[derive(Debug)]
pub struct PendingBroadcasts(UnboundedReceiver<Job>);

/// The limit of waiting broadcasts is reached.
#[derive(Debug, thiserror::Error)]
#[error("{waiting} broadcasts are waiting, {own} of them of this sender")]
struct TooMany {
    waiting: usize,
    own: usize,
}

/// The task that fans out has ended.
#[derive(Debug, thiserror::Error)]
#[error("the server is shutting down")]
struct ShuttingDown;

impl<K: Clock + 'static> Broadcasts<K> {
    /// Opens the table of broadcasts. Those that an earlier process left are continued.
    ///
    /// # Errors
    /// [`StoreError`] if the store can't be read.
    pub fn open(
        store: &Store<K>,
        settings: BroadcastSettings,
        clock: K,
    ) -> Result<(Self, PendingBroadcasts), StoreError> {
        let (jobs, pending) = unbounded_channel();
        let table = store.table(TABLE);
        let (waiting, waiting_notices) = (Arc::<Mutex<Waiting>>::default(), Arc::<Mutex<Waiting>>::default());
        let mut next = 0;
        for (key, value) in table.list()? {
            let Ok(key) = key.as_slice().try_into().map(u64::from_be_bytes) else { continue };
            next = key + 1;
            match read(&value) {
                Some(entry) => {
                    // Those that an earlier process accepted are within the limit.
                    let places = if is_notice(&entry) { &waiting_notices } else { &waiting };
                    if let Ok(slot) = Slot::take(places, &entry, usize::MAX, usize::MAX) {
                        // The receiver is in this function.
                        let _ = jobs.send(Job { key, entry, slot, first_step: None });
                    }
                }
                None => {
                    tracing::error!(key, "a stored broadcast can't be read and is skipped");
                }
            }
        }
        let next = Arc::new(AtomicU64::new(next));
        Ok((
            Self { store: store.clone(), table, clock, jobs, next, waiting, waiting_notices, settings },
            PendingBroadcasts(pending),
        ))
    }

    /// Accepts a broadcast. When this returns, it is on disk.
    ///
    /// A caller that stops waiting does not undo the acceptance: a task of its own stores the broadcast and then
    /// passes it on, because one that is stored and not passed on would wait for the next start.
    async fn accept(
        &self,
        entry: FanOut,
        first_step: Option<oneshot::Sender<FanOutProgress>>,
    ) -> Result<(), PortError> {
        const OPERATION: &str = "queueing a broadcast";
        if !self.store.has_room_for(Origin::Client) {
            return Err(PortError::retryable(OPERATION, AcceptError::DiskFull));
        }
        let BroadcastSettings { waiting, waiting_of_sender, waiting_notices, .. } = self.settings;
        let (places, most) = if is_notice(&entry) {
            (&self.waiting_notices, waiting_notices)
        } else {
            (&self.waiting, waiting)
        };
        let slot = Slot::take(places, &entry, most, waiting_of_sender).map_err(|error| {
            metrics::counter!("tidings_broadcasts_refused_total").increment(1);
            PortError::retryable(OPERATION, error)
        })?;
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        let (table, jobs) = (self.table.clone(), self.jobs.clone());
        let storing = tokio::spawn(async move {
            let text = QueueEntry::FanOut(entry.clone()).to_json();
            table
                .put(&key.to_be_bytes(), text.as_bytes())
                .await
                .map_err(|error| PortError::retryable(OPERATION, error))?;
            let job = Job { key, entry, slot, first_step };
            jobs.send(job).map_err(|_| PortError::retryable(OPERATION, ShuttingDown))
        });
        storing.await.unwrap_or_else(|_| Err(PortError::retryable(OPERATION, ShuttingDown)))
    }

    /// Stores the rest of a broadcast, so that a restart continues from there.
    async fn store_rest(&self, job: &Job) {
        let text = QueueEntry::FanOut(job.entry.clone()).to_json();
        let kept = self.table.put(&job.key.to_be_bytes(), text.as_bytes()).await;
        report(kept, "the progress of a broadcast could not be stored; a restart repeats a part of it");
    }

    /// Deletes a broadcast that every member has.
    async fn finish(&self, job: &Job) {
        let deleted = self.table.delete(&job.key.to_be_bytes()).await;
        report(deleted, "a finished broadcast could not be deleted; a restart repeats it");
    }
}

/// Logs a failed write.
fn report(outcome: Result<(), StoreError>, what: &'static str) {
    if let Err(error) = outcome {
        tracing::warn!(error = shared_telemetry::chain(&error), "{what}");
    }
}

fn read(value: &[u8]) -> Option<FanOut> {
    let text = std::str::from_utf8(value).ok()?;
    // A stored broadcast has an id.
    let id = || NotificationId::from(contract_notifications_v1::Sequence::ZERO);
    match QueueEntry::from_json(text, id, Timestamp::default()) {
        Ok(QueueEntry::FanOut(entry)) => Some(entry),
        _ => None,
    }
}

/// The queue for messages between clients.
#[derive(Clone)]
pub struct LocalMessageQueue<K: Clock + 'static> {
    /// Accepts notifications.
    pub store: Store<K>,
    /// Accepts broadcasts.
    pub broadcasts: Broadcasts<K>,
}

impl<K: Clock + 'static> ws_edge::ports::MessageQueue for LocalMessageQueue<K> {
    async fn send(&self, notifications: Vec<Notification>) -> Vec<Result<(), PortError>> {
        let count = notifications.len();
        // The store accepts all or none.
        let accepted = self.store.accept_from_clients(notifications).await;
        let outcome = |error: AcceptError| PortError::retryable("queueing messages", error);
        (0..count).map(|_| accepted.as_ref().map(drop).map_err(|error| outcome(*error))).collect()
    }

    async fn broadcast(&self, fan_out: FanOut) -> Result<(), PortError> {
        self.broadcasts.accept(fan_out, None).await
    }

    /// Waits for the first step, at most a second.
    async fn broadcast_in_order(&self, fan_out: FanOut) -> Result<FanOutProgress, PortError> {
        let (first_step, progress) = oneshot::channel();
        self.broadcasts.accept(fan_out, Some(first_step)).await?;
        let late = self.broadcasts.clock.sleep(LONGEST_WAIT);
        Ok(match select(progress, pin!(late)).await {
            Either::Left((Ok(progress), _)) => progress,
            // The server is shutting down, and goes on after its start.
            Either::Left((Err(_), _)) | Either::Right(_) => FanOutProgress::Pending,
        })
    }
}

/// Returns true for a notice of who comes or goes.
fn is_notice(entry: &FanOut) -> bool {
    entry.kind.as_deref() == Some(PRESENCE_KIND)
}

/// The broadcasts of a hub, or its notices.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Lane {
    hub: HubName,
    notices: bool,
}

impl Lane {
    fn of(job: &Job) -> Self {
        Self { hub: job.entry.hub.clone(), notices: is_notice(&job.entry) }
    }
}

/// The broadcasts in progress: in order for each lane, with the lanes in turn.
#[derive(Default)]
struct Turns {
    lanes: VecDeque<Lane>,
    jobs: HashMap<Lane, VecDeque<Job>>,
}

impl Turns {
    fn add(&mut self, job: Job) {
        let lane = Lane::of(&job);
        let jobs = self.jobs.entry(lane.clone()).or_default();
        if jobs.is_empty() {
            self.lanes.push_back(lane);
        }
        jobs.push_back(job);
    }

    /// Takes the first broadcast of the lane whose turn it is. The caller must call [`put_back`](Self::put_back) or
    /// [`finish`](Self::finish) next.
    fn next(&mut self) -> Option<Job> {
        self.jobs.get_mut(self.lanes.front()?)?.pop_front()
    }

    /// Returns the broadcast and passes the turn to the next lane.
    fn put_back(&mut self, job: Job) {
        self.lanes.rotate_left(1);
        self.jobs.entry(Lane::of(&job)).or_default().push_front(job);
    }

    /// Ends the turn of a lane whose broadcast is finished.
    fn finish(&mut self) {
        let Some(lane) = self.lanes.pop_front() else { return };
        if self.jobs.get(&lane).is_some_and(|jobs| !jobs.is_empty()) {
            self.lanes.push_back(lane);
        } else {
            self.jobs.remove(&lane);
        }
    }
}

/// Fans broadcasts out until `shutdown` completes. The rest stays on disk for the next process.
///
/// A failed step is tried again until it succeeds.
pub async fn run_broadcasts<K: Clock + 'static>(
    pending: PendingBroadcasts,
    broadcasts: Broadcasts<K>,
    members: impl HubMembers,
    queue: impl NotificationQueue,
    clock: K,
    jitter: impl Jitter,
    shutdown: impl Future<Output = ()> + Send,
) {
    let PendingBroadcasts(mut pending) = pending;
    let mut shutdown = pin!(shutdown);
    let (mut turns, mut failures) = (Turns::default(), 0);
    loop {
        while let Ok(job) = pending.try_recv() {
            turns.add(job);
        }
        let Some(mut job) = turns.next() else {
            match select(&mut shutdown, pin!(pending.recv())).await {
                Either::Right((Some(job), _)) => turns.add(job),
                Either::Right((None, _)) | Either::Left(_) => return,
            }
            continue;
        };
        let step = fan_out(job.entry.clone(), &members, &queue, broadcasts.settings.members);
        let step = match select(&mut shutdown, pin!(step)).await {
            Either::Right((step, _)) => step,
            Either::Left(_) => return,
        };
        match step {
            Ok(None) => {
                job.report(FanOutProgress::Complete);
                broadcasts.finish(&job).await;
                turns.finish();
                failures = 0;
            }
            Ok(Some(rest)) => {
                job.report(FanOutProgress::Pending);
                job.entry = rest;
                broadcasts.store_rest(&job).await;
                turns.put_back(job);
                failures = 0;
            }
            Err(error) => {
                let delay = jitter.delay(&broadcasts.settings.retry, failures);
                failures = failures.saturating_add(1);
                tracing::warn!(error = shared_telemetry::chain(&error), ?delay, "a broadcast is tried again");
                turns.put_back(job);
                if let Either::Left(_) = select(&mut shutdown, pin!(clock.sleep(delay))).await {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use contract_notifications_v1::{Payload, WhenOffline};

    use super::*;

    fn fan_out(sender: &str) -> FanOut {
        FanOut {
            hub: HubName::new("all").unwrap(),
            after: None,
            except: None,
            id: NotificationId::new("i").unwrap(),
            payload: Payload::from_json("1").unwrap(),
            sent_at: Timestamp::default(),
            expires_at: None,
            when_offline: WhenOffline::Drop,
            kind: None,
            source: Some(sender.into()),
        }
    }

    #[test]
    fn crowd_that_comes_and_goes_holds_up_no_message() {
        let waiting = Arc::<Mutex<Waiting>>::default();
        let job = |key, entry: FanOut| {
            let slot = Slot::take(&waiting, &entry, usize::MAX, usize::MAX).unwrap();
            Job { key, entry, slot, first_step: None }
        };
        let mut turns = Turns::default();
        for key in 0..100 {
            let notice = FanOut { kind: Some(PRESENCE_KIND.into()), ..fan_out(&format!("user/guest-{key}")) };
            turns.add(job(key, notice));
        }
        for key in 100..103 {
            turns.add(job(key, fan_out("user/alice")));
        }
        let mut order = Vec::new();
        while let Some(job) = turns.next() {
            order.push(job.key);
            turns.finish();
        }
        assert_eq!(order[..6], [0, 100, 1, 101, 2, 102]);
        assert_eq!(order.len(), 103);
    }

    #[test]
    fn one_sender_leaves_places_to_others() {
        let waiting = Arc::<Mutex<Waiting>>::default();
        let take = |sender| Slot::take(&waiting, &fan_out(sender), 10, 4);
        let mallory: Vec<_> = (0..9).filter_map(|_| take("user/mallory").ok()).collect();
        assert_eq!(mallory.len(), 4);
        let alice: Vec<_> = (0..9).filter_map(|_| take("user/alice").ok()).collect();
        let bob: Vec<_> = (0..9).filter_map(|_| take("user/bob").ok()).collect();
        assert_eq!((alice.len(), bob.len()), (4, 2), "ten in all");
        drop((mallory, alice, bob));
        let counts = waiting.lock().unwrap();
        assert_eq!((counts.all, counts.by_sender.len()), (0, 0));
    }
}
