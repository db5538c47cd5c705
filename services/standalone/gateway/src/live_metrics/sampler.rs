//! Takes the snapshots and sends them to the members of the hub.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use contract_notifications_v1::{HubName, Notification, NotificationId, Payload, UserId, WhenOffline};
use dispatcher::ports::HubMembers as _;
use futures_util::future::{Either, select};
use shared_ports::{Clock, PortError};
use shared_telemetry::process::usage;
use tidings_sockets::Registry;
use tidings_store::{Store, Submission};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::latency::Latency;
use super::recorder::Counts;
use super::{HUB, INTERVAL, KIND, LiveMetrics, SOURCE, Snapshot, Tally};
use tidings_hubs::MemoryHubs;

/// Maximum number of users who get the live metrics.
const MAX_WATCHERS: usize = 1_000;

/// Takes snapshots of a server.
pub struct Sampler<K: Clock + 'static> {
    tally: Arc<Tally>,
    store: Store<K>,
    registry: Registry,
    clock: K,
    /// Number of the live metrics' own notifications that were accepted.
    own: Arc<AtomicU64>,
    /// The latencies at the last snapshot.
    latencies: Vec<u64>,
}

impl<K: Clock + Clone + 'static> Sampler<K> {
    /// Makes a sampler of a store and its connections.
    pub fn new(tally: Arc<Tally>, store: Store<K>, registry: Registry, clock: K) -> Self {
        let latencies = tally.latencies();
        Self { tally, store, registry, clock, own: Arc::default(), latencies }
    }

    fn snapshot(&mut self) -> Snapshot {
        let all = self.tally.counts();
        // The delivered ones may lack a notification that is on its way.
        let own = self.own.load(Ordering::Relaxed);
        let accepted = all.accepted.saturating_sub(own);
        let delivered = all.delivered.saturating_sub(own);
        let counts = Counts { accepted, delivered, ..all };
        let latencies = self.tally.latencies();
        let latency = Latency::between(&self.latencies, &latencies);
        self.latencies = latencies;
        let stats = self.store.stats();
        let usage = usage(Some(std::process::id()));
        Snapshot {
            at: self.clock.now(),
            counts,
            latency,
            connections: self.registry.open_sockets(),
            queued: stats.queued,
            mailbox: stats.held,
            dead_letters: stats.dead_letters,
            resident_bytes: usage.map(|usage| usage.rss_bytes),
            cpu_ms: usage.map(|usage| u64::try_from(usage.cpu.as_millis()).unwrap_or(u64::MAX)),
        }
    }

    /// Sends a snapshot to users, in a task of its own. It makes one notification for each user instead of a
    /// broadcast, which would be written to disk once more and would not report the number of its notifications.
    fn send(&self, snapshot: &Snapshot, users: Vec<UserId>) -> Option<JoinHandle<()>> {
        let payload = Payload::from_value(snapshot).ok()?;
        let id = NotificationId::new(Uuid::now_v7().to_string()).ok()?;
        let submission = |user_id| Submission {
            notification: Notification {
                id: id.clone(),
                user_id,
                payload: payload.clone(),
                sent_at: snapshot.at,
                expires_at: Some(snapshot.at.plus(INTERVAL * 5)),
                when_offline: WhenOffline::Drop,
                kind: Some(KIND.into()),
                source: Some(SOURCE.into()),
            },
            deduplicate: false,
        };
        let (store, own) = (self.store.clone(), Arc::clone(&self.own));
        let count = users.len() as u64;
        let submissions = users.into_iter().map(submission).collect();
        Some(tokio::spawn(async move {
            match store.accept(submissions).await {
                Ok(_) => _ = own.fetch_add(count, Ordering::Relaxed),
                Err(error) => {
                    let error = shared_telemetry::chain(&error);
                    tracing::debug!(error, "the live metrics could not be sent");
                }
            }
        }))
    }
}

/// Returns the members of the hub of operators.
async fn watchers(hubs: &MemoryHubs, hub: &HubName) -> Result<Vec<UserId>, PortError> {
    Ok(hubs.page(hub, None, MAX_WATCHERS).await?.users)
}

/// Takes a snapshot every second until `shutdown` is complete.
pub async fn run<K: Clock + Clone + 'static>(
    mut sampler: Sampler<K>,
    live_metrics: LiveMetrics,
    hubs: MemoryHubs,
    shutdown: impl Future<Output = ()> + Send,
) {
    let mut shutdown = pin!(shutdown);
    let Ok(hub) = HubName::new(HUB) else { return };
    let mut sending: Option<JoinHandle<()>> = None;
    let mut due = sampler.clock.now();
    loop {
        due = due.plus(INTERVAL).max(sampler.clock.now());
        let wait = due.since(sampler.clock.now());
        if let Either::Left(_) = select(&mut shutdown, pin!(sampler.clock.sleep(wait))).await {
            return;
        }
        let snapshot = sampler.snapshot();
        live_metrics.add(snapshot.clone());
        // While the store has not taken the last snapshot, it gets no other.
        if sending.as_ref().is_some_and(|sending| !sending.is_finished()) {
            continue;
        }
        sending = match watchers(&hubs, &hub).await {
            Ok(users) if !users.is_empty() => sampler.send(&snapshot, users),
            _ => None,
        };
    }
}
