//! The shared context of a simulation: its plan, random decisions, time and trace.
//!
//! Every task of a simulation has the [`Simulation`]. Its locks are held for single operations only, and all
//! tasks of a process run on one thread, so which task goes first is the seed's decision.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract_connections_v1::ConnectionId;
use contract_notifications_v1::{Notification, Timestamp, UserId};
use shared_ports::{Clock, Moment};
use shared_retry::RetryPolicy;
use tokio::time::Instant;
use uuid::Uuid;

use crate::mutant::Mutant;
use crate::plan::Plan;
use crate::trace::{Event, EventKind, Trace};
use verification_random::SeededRandom;

/// Start of every simulation, in milliseconds since the epoch.
const START: u64 = 1_700_000_000_000;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Virtual time, which goes on over several processes, each with a paused runtime of its own.
#[derive(Debug, Default)]
struct Time {
    /// Virtual milliseconds before the present process.
    before: u64,
    /// Start of the present process by its runtime's clock.
    since: Option<Instant>,
    /// Error of the server's clock in milliseconds.
    jumped: i64,
}

/// The context of a simulation.
#[derive(Debug)]
pub(crate) struct Simulation {
    pub(crate) plan: Plan,
    pub(crate) random: SeededRandom,
    pub(crate) mutant: Option<Mutant>,
    time: Mutex<Time>,
    trace: Mutex<Trace>,
    faults_stopped: AtomicBool,
    connections: AtomicU32,
    /// Submitted notifications by number.
    submitted: Mutex<BTreeMap<u32, Arc<Notification>>>,
    /// Number of frames sent to each connection's socket.
    pub(crate) frames_sent: Mutex<BTreeMap<ConnectionId, usize>>,
    /// Sequences of notifications that must still be sent to a socket, by number.
    outstanding: Mutex<BTreeMap<u32, u64>>,
    /// Notifications sent to a socket.
    sent: Mutex<BTreeSet<u32>>,
    /// Time at which each connection's row was inserted.
    pub(crate) inserted: Mutex<BTreeMap<ConnectionId, u64>>,
}

impl Simulation {
    pub(crate) fn new(plan: Plan, random: SeededRandom, mutant: Option<Mutant>) -> Arc<Self> {
        Arc::new(Self {
            plan,
            random,
            mutant,
            time: Mutex::default(),
            trace: Mutex::default(),
            faults_stopped: AtomicBool::new(false),
            connections: AtomicU32::new(0),
            submitted: Mutex::default(),
            frames_sent: Mutex::default(),
            outstanding: Mutex::default(),
            sent: Mutex::default(),
            inserted: Mutex::default(),
        })
    }

    /// Virtual milliseconds since the start.
    pub(crate) fn now(&self) -> u64 {
        let time = lock(&self.time);
        let since = time.since.map_or(Duration::ZERO, |since| since.elapsed());
        time.before + u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Starts the time of a process, in its runtime.
    pub(crate) fn begin_process(&self) {
        lock(&self.time).since = Some(Instant::now());
    }

    /// Stops the time of a process, just before its runtime ends.
    pub(crate) fn end_process(&self) {
        let now = self.now();
        let mut time = lock(&self.time);
        (time.before, time.since) = (now, None);
    }

    /// Sets the server's clock forward, or back, by `by` milliseconds.
    pub(crate) fn jump_clock(&self, by: i64) {
        lock(&self.time).jumped += by;
        self.log(None, EventKind::ClockJumped(by));
    }

    /// Adds an event to the trace.
    pub(crate) fn log(&self, user: Option<usize>, kind: EventKind) {
        let at = self.now();
        if let EventKind::FrameSent { items, .. } = &kind {
            let mut outstanding = lock(&self.outstanding);
            for (number, _) in items {
                outstanding.remove(number);
                lock(&self.sent).insert(*number);
            }
        }
        lock(&self.trace).0.push(Event { at, user, kind });
    }

    /// Notes a stored notification that must be sent to a socket.
    pub(crate) fn expect(&self, number: u32, sequence: u64) {
        if !lock(&self.sent).contains(&number) {
            lock(&self.outstanding).insert(number, sequence);
        }
    }

    /// Sequences of the notifications that must still be sent to a socket.
    pub(crate) fn outstanding(&self) -> BTreeSet<u64> {
        lock(&self.outstanding).values().copied().collect()
    }

    pub(crate) fn take_trace(&self) -> Trace {
        std::mem::take(&mut lock(&self.trace))
    }

    pub(crate) fn stop_faults(&self) {
        self.faults_stopped.store(true, Ordering::Relaxed);
        self.log(None, EventKind::FaultsStopped);
    }

    pub(crate) fn faults_stopped(&self) -> bool {
        self.faults_stopped.load(Ordering::Relaxed)
    }

    pub(crate) fn has_mutant(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub(crate) fn next_connection(&self) -> u32 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns the notification with this number, making it at the first call.
    pub(crate) fn submitted_or_make(
        &self,
        number: u32,
        make: impl FnOnce() -> Notification,
    ) -> Arc<Notification> {
        Arc::clone(lock(&self.submitted).entry(number).or_insert_with(|| Arc::new(make())))
    }

    pub(crate) fn submitted(&self, number: u32) -> Option<Arc<Notification>> {
        lock(&self.submitted).get(&number).cloned()
    }

    /// Lets other tasks go first or some milliseconds pass, so that the seed decides the order of events.
    pub(crate) async fn pause(&self) {
        match self.random.between(0, 9) {
            0..5 => {}
            5..7 => tokio::task::yield_now().await,
            7..9 => tokio::time::sleep(self.random.millis(1, 4)).await,
            _ => tokio::time::sleep(self.random.millis(1, 20)).await,
        }
    }
}

/// The id of a user.
pub(crate) fn user_id(user: usize) -> Option<UserId> {
    UserId::new(format!("user-{user}")).ok()
}

/// The number of the user with this id.
pub(crate) fn user_index(id: &UserId) -> usize {
    id.as_str().trim_start_matches("user-").parse().unwrap_or(usize::MAX)
}

/// The id of a connection.
pub(crate) fn connection_id(connection: u32) -> ConnectionId {
    ConnectionId::new(format!("c{connection}"))
}

/// The number of the connection with this id.
pub(crate) fn connection_index(id: &ConnectionId) -> u32 {
    id.as_str().trim_start_matches('c').parse().unwrap_or(u32::MAX)
}

/// The server's clock.
#[derive(Debug, Clone)]
pub(crate) struct SimulatedClock(pub(crate) Arc<Simulation>);

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        let jumped = lock(&self.0.time).jumped;
        Timestamp::from_millis((START + self.0.now()).saturating_add_signed(jumped))
    }

    fn moment(&self) -> Moment {
        if self.0.has_mutant(Mutant::TimeOfDayMeasures) {
            return Moment::from_millis(self.now().millis());
        }
        Moment::from_millis(START + self.0.now())
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// The server's clock at a virtual time, if it never jumped.
pub(crate) const fn server_time(at: u64) -> u64 {
    START + at
}

/// The server's jitter and random ids.
#[derive(Debug, Clone)]
pub(crate) struct SimulatedRandomness(pub(crate) Arc<Simulation>);

impl shared_retry::Jitter for SimulatedRandomness {
    fn delay(&self, policy: &RetryPolicy, attempt: u32) -> Duration {
        let bound = u64::try_from(policy.bound(attempt).as_millis()).unwrap_or(u64::MAX);
        self.0.random.millis(0, bound)
    }
}

impl replayer::ports::RandomSource for SimulatedRandomness {
    fn deduplication_id(&self) -> Uuid {
        Uuid::from_u64_pair(self.0.random.between(0, u64::MAX), self.0.random.between(0, u64::MAX))
    }
}
