//! The workers: tasks that run the dispatcher over the store's queue, and the replayer over inserted connections.
//!
//! Several dispatch tasks share the queue, one for each core. A run is polled once in the dispatch task itself and gets
//! a task of its own only if it has to wait. One task runs all replays, of different users at the same time.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use contract_connections_v1::ConnectionKey;
use contract_notifications_v1::{Timestamp, UserId};
use dispatcher::Dispatcher;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use replayer::Replayer;
use shared_ports::{Clock as _, Moment};
use shared_retry::{Jitter as _, RetryPolicy};
use tidings_store::{Lease, Store};
use tokio::sync::mpsc;

/// Settings of the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerSettings {
    /// Time in which a run may try to push before it fails.
    pub run_budget: Duration,
    /// Time that a shutdown waits for runs in flight.
    pub shutdown: Duration,
    /// Time in which the replay of a mailbox must complete.
    pub replay_budget: Duration,
    /// Delays between the attempts of a replay.
    pub replay_retry: RetryPolicy,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            run_budget: Duration::from_secs(10),
            shutdown: Duration::from_secs(10),
            replay_budget: Duration::from_secs(10),
            replay_retry: RetryPolicy { initial: Duration::from_millis(100), max: Duration::from_secs(10) },
        }
    }
}

/// Number of runs started before other tasks get a turn on the thread.
const RUNS_AT_ONCE: usize = 16;
/// Maximum number of inserted connections taken together.
const RECORDS_AT_ONCE: usize = 1_000;

/// Dispatches the store's queue, different users at the same time, until `shutdown` completes. Then it waits for the
/// runs in flight, at most [`WorkerSettings::shutdown`]; the entries of runs that take longer stay on disk. Several of
/// these tasks may share a queue.
pub async fn run_dispatcher<P: dispatcher::ports::Ports + 'static>(
    store: Store<P::Clock>,
    dispatcher: Arc<Dispatcher<P>>,
    settings: WorkerSettings,
    shutdown: impl Future<Output = ()> + Send,
) {
    let mut shutdown = pin!(shutdown);
    // Every run has a sender, so the channel closes when the last run has ended.
    let (running, mut finished) = mpsc::channel::<()>(1);
    let mut started = 0;
    loop {
        let lease = tokio::select! {
            biased;
            () = &mut shutdown => break,
            lease = store.receive() => lease,
        };
        let run = run(Arc::clone(&dispatcher), lease, settings.run_budget, running.clone());
        begin(Box::pin(run));
        started += 1;
        if started % RUNS_AT_ONCE == 0 {
            tokio::task::yield_now().await;
        }
    }
    drop(running);
    if tokio::time::timeout(settings.shutdown, finished.recv()).await.is_err() {
        tracing::warn!("some runs did not finish in time; their notifications stay in the queue");
    }
}

/// Polls a run once and spawns a task for the rest of it. If the sockets take the frames at once, there is no rest and
/// no task. A run that panics ends alone, as a task would, and its entries are received again.
fn begin(mut run: Pin<Box<impl Future<Output = ()> + Send + 'static>>) {
    // The task polls it again, so this poll needs no waker.
    let mut context = Context::from_waker(Waker::noop());
    // Nothing uses the run after a panic.
    match catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(&mut context))) {
        Ok(Poll::Ready(())) => {}
        Ok(Poll::Pending) => drop(tokio::spawn(run)),
        Err(_) => tracing::error!("a run panicked; its notifications are received again"),
    }
}

async fn run<P: dispatcher::ports::Ports>(
    dispatcher: Arc<Dispatcher<P>>,
    mut lease: Lease<P::Clock>,
    budget: Duration,
    running: mpsc::Sender<()>,
) {
    let deadline = dispatcher.clock.now().plus(budget);
    let entries = lease.take_entries();
    let report = dispatcher.dispatch(lease.user(), entries, deadline).await;
    lease.complete(&report.outcomes);
    drop(running);
}

/// A replay in progress.
struct Replaying {
    key: ConnectionKey,
    /// Number of failed attempts before this one.
    attempts: u32,
    /// True if another connection appeared since the replay began, perhaps too late for it.
    again: bool,
}

/// A failed replay that waits for its next attempt.
struct Failed {
    key: ConnectionKey,
    attempts: u32,
    again_at: Moment,
}

/// Replays the mailboxes of users whose connections appear, until `shutdown` completes or all senders of `inserted`
/// are dropped.
///
/// A failed replay is repeated until it succeeds, as a stream's record would be. A mailbox that does not answer delays
/// no other user.
pub async fn run_replayer<P: replayer::ports::Ports>(
    mut inserted: mpsc::UnboundedReceiver<ConnectionKey>,
    replayer: Arc<Replayer<P>>,
    clock: P::Clock,
    settings: WorkerSettings,
    shutdown: impl Future<Output = ()> + Send,
) {
    let mut shutdown = pin!(shutdown);
    let replayer = &*replayer;
    let replay = |user: UserId, deadline: Timestamp| async move {
        let outcome = replayer.replay(&user, deadline).await;
        (user, outcome)
    };
    let mut running = FuturesUnordered::new();
    let mut in_progress: HashMap<UserId, Replaying> = HashMap::new();
    let mut failed: BTreeMap<UserId, Failed> = BTreeMap::new();
    let mut records = Vec::new();
    let mut is_open = true;
    while is_open || !running.is_empty() {
        let next = failed.values().map(|failed| failed.again_at).min();
        let retry = async {
            match next {
                Some(at) => clock.sleep(at.since(clock.moment())).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some((user, outcome)) = running.next() => {
                let Some(Replaying { key, attempts, again }) = in_progress.remove(&user) else { continue };
                if again {
                    records.push(key.clone());
                }
                if let Err(error) = outcome {
                    let error = shared_telemetry::chain(&error);
                    tracing::warn!(error, "the replay of a mailbox failed and is tried again");
                    let again_at = clock.moment().plus(replayer.random().delay(&settings.replay_retry, attempts));
                    let attempts = attempts.saturating_add(1);
                    failed.insert(user, Failed { key, attempts, again_at });
                }
            }
            count = inserted.recv_many(&mut records, RECORDS_AT_ONCE), if is_open => is_open = count > 0,
            () = retry => {}
        }
        let moment = clock.moment();
        let due = failed.values().filter(|failed| failed.again_at <= moment);
        records.extend(due.map(|failed| failed.key.clone()));
        for key in records.drain(..) {
            if let Some(replaying) = in_progress.get_mut(&key.user_id) {
                replaying.again = true;
                continue;
            }
            let attempts = failed.remove(&key.user_id).map_or(0, |failed| failed.attempts);
            let user = key.user_id.clone();
            in_progress.insert(user.clone(), Replaying { key, attempts, again: false });
            running.push(replay(user, clock.now().plus(settings.replay_budget)));
        }
    }
}
