//! What is sent to all members of a hub: on disk from its acceptance until each of them has a notification.
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use contract_notifications_v1::{FanOut, HubName, Notification, NotificationId, QueueEntry, Timestamp};
use dispatcher::fan_out;
use dispatcher::ports::{HubMembers, NotificationQueue};
use futures_util::future::{Either, select};
use shared_ports::{Clock, PortError};
use shared_retry::{Jitter, RetryPolicy};
use tidings_store::{AcceptError, Store, StoreError, Submission, Table};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Name of the table of broadcasts.
const TABLE: &str = "broadcasts";

/// How broadcasts are fanned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BroadcastSettings {
    /// Most members served before another hub's turn.
    pub members: usize,
    /// Most broadcasts that may wait; further ones are refused.
    pub waiting: usize,
    /// Delays before a step that failed is tried again.
    pub retry: RetryPolicy,
}

impl Default for BroadcastSettings {
    fn default() -> Self {
        Self {
            members: dispatcher::DEFAULT_MEMBERS,
            waiting: 10_000,
            retry: RetryPolicy { initial: Duration::from_millis(100), max: Duration::from_secs(10) },
        }
    }
}

/// A broadcast and its row.
#[derive(Debug)]
struct Job {
    key: u64,
    entry: FanOut,
}

/// The broadcasts that are still to be fanned out. Clones share them.
#[derive(Clone)]
pub struct Broadcasts<K: Clock + 'static> {
    table: Table<K>,
    jobs: UnboundedSender<Job>,
    next: Arc<AtomicU64>,
    waiting: Arc<AtomicUsize>,
    settings: BroadcastSettings,
}

/// The other end of [`Broadcasts`], for [`run_broadcasts`].
#[derive(Debug)]
pub struct PendingBroadcasts(UnboundedReceiver<Job>);

/// As many broadcasts wait as may.
#[derive(Debug, thiserror::Error)]
#[error("{waiting} broadcasts wait already")]
struct TooMany {
    waiting: usize,
}

/// Nobody fans out any more.
#[derive(Debug, thiserror::Error)]
#[error("the server is shutting down")]
struct ShuttingDown;

impl<K: Clock + 'static> Broadcasts<K> {
    /// Takes up what an earlier process left.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub fn open(
        store: &Store<K>,
        settings: BroadcastSettings,
    ) -> Result<(Self, PendingBroadcasts), StoreError> {
        let (jobs, pending) = unbounded_channel();
        let table = store.table(TABLE);
        let (mut next, mut waiting) = (0, 0);
        for (key, value) in table.list()? {
            let Ok(key) = key.as_slice().try_into().map(u64::from_be_bytes) else { continue };
            next = key + 1;
            match read(&value) {
                Some(entry) => {
                    waiting += 1;
                    // The receiver is here.
                    let _ = jobs.send(Job { key, entry });
                }
                None => {
                    tracing::error!(key, "a broadcast of an earlier process can't be read and is left out");
                }
            }
        }
        let (next, waiting) = (Arc::new(AtomicU64::new(next)), Arc::new(AtomicUsize::new(waiting)));
        Ok((Self { table, jobs, next, waiting, settings }, PendingBroadcasts(pending)))
    }

    /// Accepts a broadcast: it is on disk when this returns.
    async fn accept(&self, entry: FanOut) -> Result<(), PortError> {
        const OPERATION: &str = "queueing a broadcast";
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
        let accepted = async {
            if waiting >= self.settings.waiting {
                return Err(PortError::retryable(OPERATION, TooMany { waiting }));
            }
            let key = self.next.fetch_add(1, Ordering::Relaxed);
            let text = QueueEntry::FanOut(entry.clone()).to_json();
            let put = self.table.put(&key.to_be_bytes(), text.as_bytes()).await;
            put.map_err(|error| PortError::retryable(OPERATION, error))?;
            self.jobs.send(Job { key, entry }).map_err(|_| PortError::retryable(OPERATION, ShuttingDown))
        }
        .await;
        if accepted.is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        accepted
    }

    /// Remembers what is left of a broadcast, so that a restart goes on from there.
    async fn keep(&self, job: &Job) {
        let text = QueueEntry::FanOut(job.entry.clone()).to_json();
        let kept = self.table.put(&job.key.to_be_bytes(), text.as_bytes()).await;
        report(kept, "how far a broadcast came could not be stored; a restart repeats some of it");
    }

    async fn done(&self, job: &Job) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        let deleted = self.table.delete(&job.key.to_be_bytes()).await;
        report(deleted, "a broadcast that is over could not be deleted; a restart repeats it");
    }
}

fn report(outcome: Result<(), StoreError>, what: &'static str) {
    if let Err(error) = outcome {
        tracing::warn!(error = shared_telemetry::chain(&error), "{what}");
    }
}

fn read(value: &[u8]) -> Option<FanOut> {
    let text = std::str::from_utf8(value).ok()?;
    // What is stored has an id.
    let id = || NotificationId::from(contract_notifications_v1::Sequence::ZERO);
    match QueueEntry::from_json(text, id, Timestamp::default()) {
        Ok(QueueEntry::FanOut(entry)) => Some(entry),
        _ => None,
    }
}

/// The queue of this process, as clients' messages reach it.
#[derive(Clone)]
pub struct Outbox<K: Clock + 'static> {
    /// Accepts notifications.
    pub store: Store<K>,
    /// Accepts broadcasts.
    pub broadcasts: Broadcasts<K>,
}

impl<K: Clock + 'static> ws_edge::ports::MessageQueue for Outbox<K> {
    async fn send(&self, notifications: Vec<Notification>) -> Vec<Result<(), PortError>> {
        let count = notifications.len();
        // All or none.
        let accepted =
            self.store.accept(notifications.into_iter().map(Submission::deduplicated).collect()).await;
        let outcome = |error: AcceptError| PortError::retryable("queueing messages", error);
        (0..count).map(|_| accepted.as_ref().map(drop).map_err(|error| outcome(*error))).collect()
    }

    async fn broadcast(&self, fan_out: FanOut) -> Result<(), PortError> {
        self.broadcasts.accept(fan_out).await
    }
}

/// The broadcasts under way: each hub's in their order, the hubs by turns.
#[derive(Default)]
struct Turns {
    hubs: VecDeque<HubName>,
    jobs: HashMap<HubName, VecDeque<Job>>,
}

impl Turns {
    fn add(&mut self, job: Job) {
        let hub = job.entry.hub.clone();
        let jobs = self.jobs.entry(hub.clone()).or_default();
        if jobs.is_empty() {
            self.hubs.push_back(hub);
        }
        jobs.push_back(job);
    }

    /// The first broadcast of the hub whose turn it is. It has to come back, or to be [`done`](Self::done).
    fn next(&mut self) -> Option<Job> {
        self.jobs.get_mut(self.hubs.front()?)?.pop_front()
    }

    fn put_back(&mut self, job: Job) {
        self.hubs.rotate_left(1);
        self.jobs.entry(job.entry.hub.clone()).or_default().push_front(job);
    }

    fn done(&mut self) {
        let Some(hub) = self.hubs.pop_front() else { return };
        if self.jobs.get(&hub).is_some_and(|jobs| !jobs.is_empty()) {
            self.hubs.push_back(hub);
        } else {
            self.jobs.remove(&hub);
        }
    }
}

/// Fans broadcasts out until `shutdown` is complete. What is left then is on disk.
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
                broadcasts.done(&job).await;
                turns.done();
                failures = 0;
            }
            Ok(Some(rest)) => {
                job.entry = rest;
                broadcasts.keep(&job).await;
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
