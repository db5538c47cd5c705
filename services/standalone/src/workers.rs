//! What runs all the time: the dispatcher over the store's queue, and the replayer over the inserts of
//! connections.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use contract_connections_v1::ConnectionKey;
use contract_notifications_v1::{Timestamp, UserId};
use dispatcher::Dispatcher;
use dispatcher::ports::{Connections, Mailbox, Push, ReplayQueue};
use replayer::Replayer;
use replayer::ports::MailboxKeys;
use shared_ports::Clock;
use shared_retry::{Chance, RetryPolicy};
use tokio::sync::mpsc;

use crate::storage::{Received, Store};

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

/// Runs handed out before others get a turn on the thread.
const RUNS_AT_ONCE: usize = 64;
/// Most stream records taken together.
const RECORDS_AT_ONCE: usize = 1_000;

/// Dispatches what the store queues, different users at the same time, until `shutdown` is over; then lets
/// the runs in flight finish. Those that take too long are given up: their entries stay on disk.
pub async fn run_dispatcher<C, M, P, Q, K, R>(
    store: Store<K>,
    dispatcher: Arc<Dispatcher<C, M, P, Q, K, R>>,
    settings: WorkerSettings,
    shutdown: impl Future<Output = ()> + Send,
) where
    C: Connections + 'static,
    M: Mailbox + 'static,
    P: Push + 'static,
    Q: ReplayQueue + 'static,
    K: Clock + 'static,
    R: Chance + 'static,
{
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
        tokio::spawn(run(Arc::clone(&dispatcher), received, settings.run_budget, running.clone()));
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

async fn run<C, M, P, Q, K, R>(
    dispatcher: Arc<Dispatcher<C, M, P, Q, K, R>>,
    mut received: Received<K>,
    budget: Duration,
    running: mpsc::Sender<()>,
) where
    C: Connections,
    M: Mailbox,
    P: Push,
    Q: ReplayQueue,
    K: Clock,
    R: Chance,
{
    let deadline = dispatcher.clock.now().plus(budget);
    let entries = received.take_entries();
    let report = dispatcher.dispatch(received.user(), entries, deadline).await;
    received.settle(&report.outcomes);
    drop(running);
}

/// A replay that failed.
struct Failed {
    key: ConnectionKey,
    attempts: u32,
    again_at: Timestamp,
}

/// Replays the mailboxes of users whose connections appear, until `shutdown` is over or nobody sends any
/// more. A replay that fails is tried again until it succeeds, as a stream would.
pub async fn run_replayer<M, Q, K, R>(
    mut inserted: mpsc::UnboundedReceiver<ConnectionKey>,
    replayer: Arc<Replayer<M, Q, K, R>>,
    clock: K,
    settings: WorkerSettings,
    shutdown: impl Future<Output = ()> + Send,
) where
    M: MailboxKeys,
    Q: replayer::ports::ReplayQueue,
    K: Clock,
    R: replayer::ports::Chance,
{
    let mut shutdown = pin!(shutdown);
    let mut failed: BTreeMap<UserId, Failed> = BTreeMap::new();
    let mut records = Vec::new();
    loop {
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
            count = inserted.recv_many(&mut records, RECORDS_AT_ONCE) => if count == 0 { break },
            () = retry => {}
        }
        let now = clock.now();
        let due = failed.values().filter(|failed| failed.again_at <= now);
        records.extend(due.map(|failed| failed.key.clone()));
        let work = replayer.replay_batch(&records, now.plus(settings.replay_budget));
        let positions = tokio::select! {
            biased;
            () = &mut shutdown => break,
            positions = work => positions,
        };
        let mut positions = positions.into_iter().peekable();
        for (position, key) in records.drain(..).enumerate() {
            let attempts = failed.remove(&key.user_id).map_or(0, |failed| failed.attempts);
            if positions.next_if_eq(&position).is_some() {
                let again_at = clock.now().plus(replayer.chance().delay(&settings.replay_retry, attempts));
                let attempts = attempts.saturating_add(1);
                failed.insert(key.user_id.clone(), Failed { key, attempts, again_at });
            }
        }
    }
}
