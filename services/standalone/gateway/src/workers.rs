//! What runs all the time: the dispatcher over the store's queue, and the replayer over the inserts of
//! connections.
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
use shared_ports::Clock as _;
use shared_retry::{Jitter as _, RetryPolicy};
use tidings_store::{Lease, Store};
use tokio::sync::mpsc;

/// How the workers work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerSettings {
    /// How long a run may try to push before it fails.
    pub run_budget: Duration,
    /// How long runs in flight are waited for at the end.
    pub shutdown: Duration,
    /// How long the replay of a mailbox may take before it fails.
    pub replay_budget: Duration,
    /// Delays before a failed replay is tried again.
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

/// Runs begun before others get a turn on the thread.
const RUNS_AT_ONCE: usize = 16;
/// Most stream records taken together.
const RECORDS_AT_ONCE: usize = 1_000;

/// Dispatches what the store queues, different users at the same time, until `shutdown` is over; then lets
/// the runs in flight finish. Runs that take too long are given up: their entries stay on disk. Several of these share
/// the work, each on one thread at a time.
pub async fn run_dispatcher<P: dispatcher::ports::Ports + 'static>(
    store: Store<P::Clock>,
    dispatcher: Arc<Dispatcher<P>>,
    settings: WorkerSettings,
    shutdown: impl Future<Output = ()> + Send,
) {
    let mut shutdown = pin!(shutdown);
    // Every run has a sender: when all are gone, so are the runs.
    let (running, mut finished) = mpsc::channel::<()>(1);
    let mut handed_out = 0;
    loop {
        let received = tokio::select! {
            biased;
            () = &mut shutdown => break,
            received = store.receive() => received,
        };
        let run = run(Arc::clone(&dispatcher), received, settings.run_budget, running.clone());
        begin(Box::pin(run));
        handed_out += 1;
        if handed_out % RUNS_AT_ONCE == 0 {
            tokio::task::yield_now().await;
        }
    }
    drop(running);
    if tokio::time::timeout(settings.shutdown, finished.recv()).await.is_err() {
        tracing::warn!("runs were still in flight; what they did not deliver is kept");
    }
}

/// Runs something as far as it gets at once; what is left of it gets a task of its own. Where sockets take what is
/// pushed, nothing is left, and there is no task to make. One that panics ends by itself, as a task would: its entries
/// are received again.
fn begin(mut run: Pin<Box<impl Future<Output = ()> + Send + 'static>>) {
    // A task polls it again, so that nobody needs to be woken for this.
    let mut context = Context::from_waker(Waker::noop());
    // Nothing looks into it after a panic.
    match catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(&mut context))) {
        Ok(Poll::Ready(())) => {}
        Ok(Poll::Pending) => drop(tokio::spawn(run)),
        Err(_) => tracing::error!("a run panicked and is repeated"),
    }
}

async fn run<P: dispatcher::ports::Ports>(
    dispatcher: Arc<Dispatcher<P>>,
    mut received: Lease<P::Clock>,
    budget: Duration,
    running: mpsc::Sender<()>,
) {
    let deadline = dispatcher.clock.now().plus(budget);
    let entries = received.take_entries();
    let report = dispatcher.dispatch(received.user(), entries, deadline).await;
    received.complete(&report.outcomes);
    drop(running);
}

/// A user's replay that is under way.
struct Replaying {
    key: ConnectionKey,
    /// How often it failed before.
    attempts: u32,
    /// Another connection appeared since it began, perhaps too late for it.
    again: bool,
}

/// A replay that failed.
struct Failed {
    key: ConnectionKey,
    attempts: u32,
    again_at: Timestamp,
}

/// Replays the mailboxes of users whose connections appear, until `shutdown` is over or nobody sends any
/// more. A replay that fails is tried again until it succeeds, as a stream would. Each user's goes on by
/// itself: a mailbox that does not answer holds up nobody else's.
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
    let mut under_way: HashMap<UserId, Replaying> = HashMap::new();
    let mut failed: BTreeMap<UserId, Failed> = BTreeMap::new();
    let mut records = Vec::new();
    let mut is_open = true;
    while is_open || !running.is_empty() {
        let next = failed.values().map(|failed| failed.again_at).min();
        let retry = async {
            match next {
                Some(at) => clock.sleep(at.since(clock.now())).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some((user, outcome)) = running.next() => {
                let Some(Replaying { key, attempts, again }) = under_way.remove(&user) else { continue };
                if again {
                    records.push(key.clone());
                }
                if let Err(error) = outcome {
                    let error = shared_telemetry::chain(&error);
                    tracing::warn!(error, "a mailbox could not be requeued and is tried again");
                    let again_at = clock.now().plus(replayer.random().delay(&settings.replay_retry, attempts));
                    let attempts = attempts.saturating_add(1);
                    failed.insert(user, Failed { key, attempts, again_at });
                }
            }
            count = inserted.recv_many(&mut records, RECORDS_AT_ONCE), if is_open => is_open = count > 0,
            () = retry => {}
        }
        let now = clock.now();
        let due = failed.values().filter(|failed| failed.again_at <= now);
        records.extend(due.map(|failed| failed.key.clone()));
        for key in records.drain(..) {
            if let Some(replaying) = under_way.get_mut(&key.user_id) {
                replaying.again = true;
                continue;
            }
            let attempts = failed.remove(&key.user_id).map_or(0, |failed| failed.attempts);
            let user = key.user_id.clone();
            under_way.insert(user.clone(), Replaying { key, attempts, again: false });
            running.push(replay(user, now.plus(settings.replay_budget)));
        }
    }
}
