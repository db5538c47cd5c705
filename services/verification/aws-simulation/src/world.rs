//! The state of the simulated deployment, and its clock.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use contract_connections_v1::{Connection, ConnectionId, HubPartition, MemberKey};
use contract_notifications_v1::{HubName, Timestamp, UserId, home_queue};
use dispatcher::ports::MailboxRow;
use shared_ports::{Clock, PortError};
use shared_retry::{Jitter, RetryPolicy};
use shared_sync::IgnorePoison as _;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use verification_random::SeededRandom;

use crate::fifo::Fifo;
use crate::gateway::Gateway;
use crate::lambda::Account;
use crate::log::{Event, EventKind};
use crate::mutant::Mutant;
use crate::plan::{Plan, Trouble};

/// The wall clock at the start of a simulation, in milliseconds since the epoch.
const EPOCH: u64 = 1_767_225_600_000;

tokio::task_local! {
    /// The number of the invocation whose work runs.
    pub(crate) static INVOCATION: u64;
}

/// A simulated deployment.
#[derive(Debug)]
pub(crate) struct World {
    /// The plan.
    pub(crate) plan: Plan,
    /// The random decisions.
    pub(crate) random: SeededRandom,
    /// The notifications queues.
    pub(crate) queues: Vec<Fifo>,
    /// The account's concurrency.
    pub(crate) account: Account,
    /// API Gateway.
    pub(crate) gateway: Gateway,
    /// The records of inserted connections, by shard.
    pub(crate) shards: Vec<Shard>,
    tables: Mutex<Tables>,
    mutant: Option<Mutant>,
    start: Instant,
    log: Mutex<Vec<Event>>,
    faults: AtomicBool,
    invocations: AtomicU64,
}

/// The rows of the tables.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// The Connections table, with the time of each insertion.
    pub(crate) connections: BTreeMap<(usize, ConnectionId), (Connection, Instant)>,
    /// The mailboxes, with the time of each insertion.
    pub(crate) mailboxes: BTreeMap<usize, BTreeMap<u64, (MailboxRow, Instant)>>,
    /// The rows of the hub, by partition.
    pub(crate) hub: BTreeMap<HubPartition, BTreeMap<MemberKey, HubRowState>>,
    /// Writes to a partition in its last second with a write.
    pub(crate) hub_writes: BTreeMap<HubPartition, (u64, u32)>,
    /// The users with a scheduled replay.
    pub(crate) due: BTreeMap<usize, Timestamp>,
}

/// A row of the hub. It stays when it is deleted, for stale reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HubRowState {
    /// Time of its insertion.
    pub(crate) inserted: Instant,
    /// Time of its deletion.
    pub(crate) deleted: Option<Instant>,
}

impl HubRowState {
    /// Returns true if a read that is as old as this shows the row.
    pub(crate) fn is_shown(&self, age: Duration) -> bool {
        self.inserted.elapsed() >= age && self.deleted.is_none_or(|deleted| deleted.elapsed() < age)
    }
}

/// A shard of the stream.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    /// The records that are not handled: the user, the connection, and the time of the insertion.
    pub(crate) records: Mutex<VecDeque<(usize, ConnectionId, Instant)>>,
    /// Notified of each new record.
    pub(crate) arrivals: Notify,
}

/// The failure of a port call.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Before,
    After,
    Slow,
}

impl World {
    /// Makes a deployment.
    pub(crate) fn new(plan: Plan, random: SeededRandom, mutant: Option<Mutant>) -> Arc<Self> {
        let mut queue = plan.queue;
        queue.locks_groups &= mutant != Some(Mutant::NoGroupLock);
        Arc::new(Self {
            queues: (0..plan.queues.max(1) as u64)
                .map(|number| Fifo::starting_at(queue, number * 500))
                .collect(),
            account: Account::new(plan.concurrency),
            gateway: Gateway::default(),
            shards: (0..plan.shards.max(1)).map(|_| Shard::default()).collect(),
            tables: Mutex::default(),
            mutant,
            start: Instant::now(),
            log: Mutex::default(),
            faults: AtomicBool::new(true),
            invocations: AtomicU64::new(0),
            plan,
            random,
        })
    }

    /// Returns true if the deployment has this defect.
    pub(crate) fn has(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Returns true while something may go wrong.
    pub(crate) fn faults(&self) -> bool {
        self.faults.load(Ordering::Relaxed)
    }

    /// Ends all faults.
    pub(crate) fn end_faults(&self) {
        self.faults.store(false, Ordering::Relaxed);
    }

    /// Returns the virtual milliseconds since the start.
    pub(crate) fn elapsed(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Returns the wall clock at a moment.
    pub(crate) fn time_at(&self, at: Instant) -> Timestamp {
        Timestamp::from_millis(EPOCH).plus(at.saturating_duration_since(self.start))
    }

    /// Returns the number of a new invocation.
    pub(crate) fn next_invocation(&self) -> u64 {
        self.invocations.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns the index of the queue that a message group belongs to.
    pub(crate) fn home(&self, group: &str) -> usize {
        NonZeroUsize::new(self.queues.len()).map_or(0, |queues| home_queue(group, queues))
    }

    /// Returns the queue to which the services send messages of a group.
    pub(crate) fn queue_of(&self, group: &str) -> &Fifo {
        let wrong = usize::from(self.has(Mutant::SendsToAnotherQueue));
        &self.queues[(self.home(group) + wrong) % self.queues.len()]
    }

    /// Returns the messages that are queued or in flight, by group.
    pub(crate) fn queued(&self) -> BTreeMap<String, usize> {
        let mut groups = BTreeMap::new();
        for (group, entries) in self.queues.iter().flat_map(Fifo::groups) {
            *groups.entry(group).or_default() += entries;
        }
        groups
    }

    /// Logs an event of a user.
    pub(crate) fn log(&self, user: usize, kind: EventKind) {
        self.append(Some(user), kind);
    }

    /// Logs an event of a whole batch.
    pub(crate) fn log_batch(&self, kind: EventKind) {
        self.append(None, kind);
    }

    fn append(&self, user: Option<usize>, kind: EventKind) {
        let event = Event { at: self.elapsed(), user, kind };
        self.log.lock().ignore_poison().push(event);
    }

    /// Takes the log.
    pub(crate) fn take_log(&self) -> Vec<Event> {
        std::mem::take(&mut *self.log.lock().ignore_poison())
    }

    /// Locks the tables.
    pub(crate) fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().ignore_poison()
    }

    /// Inserts a connection's row, whose record goes to the stream.
    pub(crate) fn insert_connection(&self, user: usize, row: Connection) {
        let id = row.connection_id.clone();
        let key = (user, id.clone());
        let is_new = self.tables().connections.insert(key, (row, Instant::now())).is_none();
        if is_new && !self.has(Mutant::NoStream) {
            let shard = &self.shards[user % self.shards.len()];
            let mut records = shard.records.lock().ignore_poison();
            records.push_back((user, id, Instant::now()));
            drop(records);
            shard.arrivals.notify_waiters();
        }
    }

    /// Makes a call to a table, a queue or a key, for a user or for the hub: it takes a while, and may fail with or without
    /// its effect.
    ///
    /// # Errors
    /// [`PortError`] if it fails.
    pub(crate) async fn call<T>(
        &self,
        user: impl Into<Option<usize>>,
        operation: &'static str,
        effect: impl FnOnce() -> T,
    ) -> Result<T, PortError> {
        let user = user.into();
        sleep(self.random.millis(2, 15)).await;
        match self.fault(user) {
            None => Ok(effect()),
            Some(Fault::Slow) => {
                self.append(user, EventKind::Fault("slow"));
                sleep(self.random.millis(300, 3_000)).await;
                self.append(user, EventKind::Fault("slow until now"));
                Ok(effect())
            }
            Some(fault) => {
                self.append(user, EventKind::Fault(operation));
                if matches!(fault, Fault::After) {
                    effect();
                }
                Err(PortError::retryable(operation, "throttled"))
            }
        }
    }

    fn fault(&self, user: Option<usize>) -> Option<Fault> {
        if !self.faults() {
            return None;
        }
        let trouble = user.map_or_else(Trouble::default, |user| self.plan.users[user].trouble);
        if self.random.chance(trouble.failing + self.plan.throttles) {
            return Some(if self.random.chance(500) { Fault::Before } else { Fault::After });
        }
        self.random.chance(trouble.slow).then_some(Fault::Slow)
    }
}

/// Returns the virtual milliseconds since the start of a time of the wall clock.
pub(crate) fn millis_of(time: Timestamp) -> u64 {
    time.millis().saturating_sub(EPOCH)
}

/// The clock of a deployment.
#[derive(Debug, Clone)]
pub(crate) struct SimClock(pub Arc<World>);

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.0.time_at(Instant::now())
    }

    async fn sleep(&self, duration: Duration) {
        sleep(duration).await;
    }
}

/// The jitter of a deployment, and its deduplication IDs.
#[derive(Debug, Clone)]
pub(crate) struct SimRandom(pub Arc<World>);

impl Jitter for SimRandom {
    fn delay(&self, policy: &RetryPolicy, attempt: u32) -> Duration {
        let bound = u64::try_from(policy.bound(attempt).as_millis()).unwrap_or(u64::MAX);
        self.0.random.millis(0, bound)
    }
}

impl replayer::ports::RandomSource for SimRandom {
    fn deduplication_id(&self) -> uuid::Uuid {
        uuid::Uuid::from_u64_pair(self.0.random.between(0, u64::MAX), self.0.random.between(0, u64::MAX))
    }
}

/// Returns the id of a user.
pub(crate) fn user_id(user: usize) -> UserId {
    // Letters and digits make an id.
    UserId::new(format!("u{user}")).unwrap_or_else(|error| unreachable!("{error}"))
}

/// Returns the index of a user with this id.
pub(crate) fn user_index(id: &str) -> usize {
    id.trim_start_matches('u').parse().unwrap_or(0)
}

/// Returns the index of the user of a message group, or `None` for that of the hub.
pub(crate) fn user_of(group: &str) -> Option<usize> {
    group.strip_prefix('u')?.parse().ok()
}

/// Returns the hub's name.
pub(crate) fn hub() -> HubName {
    HubName::new("team").unwrap_or_else(|error| unreachable!("{error}"))
}
