//! What everything in a simulated world shares: the time, the dice, the trace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract_connections_v1::ConnectionId;
use contract_notifications_v1::{Notification, Timestamp, UserId};
use shared_ports::Clock;
use shared_retry::RetryPolicy;
use tokio::time::Instant;
use uuid::Uuid;

use crate::dice::Dice;
use crate::mutant::Mutant;
use crate::plan::Plan;
use crate::trace::{Event, Trace, What};

/// When a world begins, in milliseconds since the epoch.
const BEGINNING: u64 = 1_700_000_000_000;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The time in a world: each process has a paused runtime of its own.
#[derive(Debug, Default)]
struct Time {
    /// Virtual milliseconds before the present process.
    before: u64,
    /// When the present process began, by its runtime's clock.
    since: Option<Instant>,
    /// By how much the server's clock is wrong.
    jumped: i64,
}

/// A world.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) dice: Dice,
    pub(crate) mutant: Option<Mutant>,
    time: Mutex<Time>,
    trace: Mutex<Trace>,
    calm: AtomicBool,
    connections: AtomicU32,
    /// What was sent, by number.
    sent: Mutex<BTreeMap<u32, Arc<Notification>>>,
    /// Frames taken by each connection's socket.
    pub(crate) taken: Mutex<BTreeMap<ConnectionId, usize>>,
    /// Notifications that no socket has taken yet, and their sequences; without those that need not be.
    outstanding: Mutex<BTreeMap<u32, u64>>,
    /// Those that a socket has taken.
    arrived: Mutex<BTreeSet<u32>>,
    /// When each connection's row was inserted.
    pub(crate) inserted: Mutex<BTreeMap<ConnectionId, u64>>,
}

impl World {
    pub(crate) fn new(plan: Plan, dice: Dice, mutant: Option<Mutant>) -> Arc<Self> {
        Arc::new(Self {
            plan,
            dice,
            mutant,
            time: Mutex::default(),
            trace: Mutex::default(),
            calm: AtomicBool::new(false),
            connections: AtomicU32::new(0),
            sent: Mutex::default(),
            taken: Mutex::default(),
            outstanding: Mutex::default(),
            arrived: Mutex::default(),
            inserted: Mutex::default(),
        })
    }

    /// Virtual milliseconds since the beginning.
    pub(crate) fn now(&self) -> u64 {
        let time = lock(&self.time);
        let since = time.since.map_or(Duration::ZERO, |since| since.elapsed());
        time.before + u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// A process, and with it a runtime, begins.
    pub(crate) fn begin(&self) {
        lock(&self.time).since = Some(Instant::now());
    }

    /// The runtime is about to end.
    pub(crate) fn end(&self) {
        let now = self.now();
        let mut time = lock(&self.time);
        (time.before, time.since) = (now, None);
    }

    pub(crate) fn jump(&self, by: i64) {
        lock(&self.time).jumped += by;
        self.log(None, What::Jumped(by));
    }

    pub(crate) fn log(&self, user: Option<usize>, what: What) {
        let at = self.now();
        if let What::Taken { items, .. } = &what {
            let mut outstanding = lock(&self.outstanding);
            for (number, _) in items {
                outstanding.remove(number);
                lock(&self.arrived).insert(*number);
            }
        }
        lock(&self.trace).0.push(Event { at, user, what });
    }

    /// A notification is stored that some socket must take.
    pub(crate) fn expect(&self, number: u32, sequence: u64) {
        if !lock(&self.arrived).contains(&number) {
            lock(&self.outstanding).insert(number, sequence);
        }
    }

    /// The sequences of those that no socket has taken yet.
    pub(crate) fn outstanding(&self) -> BTreeSet<u64> {
        lock(&self.outstanding).values().copied().collect()
    }

    pub(crate) fn take_trace(&self) -> Trace {
        std::mem::take(&mut lock(&self.trace))
    }

    pub(crate) fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
        self.log(None, What::Calm);
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    pub(crate) fn has(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub(crate) fn next_connection(&self) -> u32 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn remember(&self, number: u32, make: impl FnOnce() -> Notification) -> Arc<Notification> {
        Arc::clone(lock(&self.sent).entry(number).or_insert_with(|| Arc::new(make())))
    }

    pub(crate) fn sent(&self, number: u32) -> Option<Arc<Notification>> {
        lock(&self.sent).get(&number).cloned()
    }

    /// Lets others go first, or a little time pass: what comes first is the seed's decision.
    pub(crate) async fn pause(&self) {
        match self.dice.between(0, 9) {
            0..5 => {}
            5..7 => tokio::task::yield_now().await,
            7..9 => tokio::time::sleep(self.dice.millis(1, 4)).await,
            _ => tokio::time::sleep(self.dice.millis(1, 20)).await,
        }
    }
}

/// The name of a user.
pub(crate) fn user_id(user: usize) -> Option<UserId> {
    UserId::new(format!("user-{user}")).ok()
}

/// Which user a name is.
pub(crate) fn user_index(id: &UserId) -> usize {
    id.as_str().trim_start_matches("user-").parse().unwrap_or(usize::MAX)
}

/// The name of a connection.
pub(crate) fn connection_id(connection: u32) -> ConnectionId {
    ConnectionId::new(format!("c{connection}"))
}

/// Which connection a name is.
pub(crate) fn connection_index(id: &ConnectionId) -> u32 {
    id.as_str().trim_start_matches('c').parse().unwrap_or(u32::MAX)
}

/// The server's clock.
#[derive(Debug, Clone)]
pub(crate) struct WorldClock(pub(crate) Arc<World>);

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        let jumped = lock(&self.0.time).jumped;
        Timestamp::from_millis((BEGINNING + self.0.now()).saturating_add_signed(jumped))
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// The server's clock at a time of the world, if it never jumped.
pub(crate) const fn server_time(at: u64) -> u64 {
    BEGINNING + at
}

/// The server's jitter.
#[derive(Debug, Clone)]
pub(crate) struct WorldRandomness(pub(crate) Arc<World>);

impl shared_retry::Jitter for WorldRandomness {
    fn delay(&self, policy: &RetryPolicy, attempt: u32) -> Duration {
        let bound = u64::try_from(policy.bound(attempt).as_millis()).unwrap_or(u64::MAX);
        self.0.dice.millis(0, bound)
    }
}

impl replayer::ports::RandomSource for WorldRandomness {
    fn deduplication_id(&self) -> Uuid {
        Uuid::from_u64_pair(self.0.dice.between(0, u64::MAX), self.0.dice.between(0, u64::MAX))
    }
}
