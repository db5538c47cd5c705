//! The state of the modelled system: one user, their devices, the queue, the tables, and the services at
//! work.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use contract_notifications_v1::Timestamp;
use dispatcher::core::run::Refusal;

use crate::ids::{IDENTITY, MAX_DEVICES, PerConnection};
use crate::machines::{DispatcherState, ReplayerState};
use crate::queue::{Entry, QueuedEntry};
use crate::scope::{Faults, GRACE};
use crate::set::Set;
use crate::task::Task;

/// Times at which connections connected, in milliseconds, before any grace has ended. The times before the
/// first are for connections that turn out to have connected earlier.
pub(crate) const CONNECTED: PerConnection = [4, 5, 6, 7];

const MILLISECOND: Duration = Duration::from_millis(1);

/// The socket of a connection, as the gateway treats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Socket {
    /// `$connect` has not returned: a push gets 410.
    Handshaking,
    /// Pushed frames arrive.
    Open,
    /// The gateway accepts pushes and the client does not receive them.
    HalfOpen,
    /// A push gets 410.
    Closed,
}

/// A connection of one of the user's devices. Its number is the device's index in the scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Connection {
    /// The socket.
    pub socket: Socket,
    /// True while the Connections table has the connection's row.
    pub row: bool,
    /// True while the stream has an undelivered record of the row's insertion.
    pub stream_record: bool,
    /// Notifications that arrived on the open connection since the last redelivery.
    pub received: Set,
    /// Notifications that arrived and whose ack the edge has not taken.
    pub unacknowledged: Set,
}

/// A run of the dispatcher on the first entries of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatcherRun {
    /// The real machine and its command.
    pub machine: Arc<DispatcherState>,
    /// Number of entries received.
    pub received: u8,
    /// All connections that the run has listed, or `None` before its first list.
    pub listed: Option<Set>,
    /// Number of rows of the command that are written.
    pub written: u8,
    /// Progress of the push to each connection.
    pub pushes: [PushProgress; MAX_DEVICES],
    /// Connections whose grace was over when the push was ordered.
    pub grace_over_at_order: Set,
    /// While waiting: the connections that refused a push, and true if a refusal was temporary.
    pub refused: (Set, bool),
    /// True if the run received new notifications only. Kept only if [`Rule::DrainFirst`] is left out.
    ///
    /// [`Rule::DrainFirst`]: crate::rule::Rule::DrainFirst
    pub only_new: bool,
    /// Rows to be put after the push. Used only if [`Rule::WriteBeforePush`] is left out.
    ///
    /// [`Rule::WriteBeforePush`]: crate::rule::Rule::WriteBeforePush
    pub late_puts: Vec<(u8, Set)>,
    /// The first list of connections, or the first since a row was put. Kept only if a rule about looking
    /// again is left out.
    pub first_listed: Option<Set>,
}

/// Progress of a push to one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PushProgress {
    /// Number of frames accepted.
    pub accepted: u8,
    /// The reason for refusing the next frame.
    pub refusal: Option<Refusal>,
    /// True once all frames are accepted or one is refused.
    pub finished: bool,
}

/// A run of the replayer on a stream record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayerRun {
    /// The real machine and its command.
    pub machine: Arc<ReplayerState>,
    /// The connection whose record is handled.
    pub connection: u8,
}

/// A promise broken by a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Violation {
    /// `first` arrived for the first time after `later`, which was accepted later.
    Order {
        /// The notification that came too late.
        first: u8,
        /// The notification that came before it.
        later: u8,
    },
    /// A notification arrived on a connection again without a redelivery in between.
    Repeated {
        /// The notification.
        notification: u8,
        /// The connection.
        connection: u8,
    },
    /// A core gave a result that is never valid.
    InvalidOutput(&'static str),
}

/// A state of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Number of notifications accepted.
    pub accepted: u8,
    /// The user's message group, in order. A run works on the first entries, which stay here until it ends.
    pub queue: Vec<QueuedEntry>,
    /// The user's mailbox: the notifications held.
    pub held: Set,
    /// The connections in the `pushedTo` of each notification's row, by the notification's number.
    pub pushed_to: [Set; 8],
    /// Connections in the order of their handshakes.
    pub connections: Vec<Connection>,
    /// Connections whose grace is over.
    pub graces_over: Set,
    /// Number of graces that the clock has ended: see [`State::now`].
    pub ended: u8,
    /// Time at which each connection connected, in milliseconds. A grace that is over earlier began earlier.
    pub connected: PerConnection,
    /// The dispatcher's run. The message group allows one at a time.
    pub dispatcher: Option<DispatcherRun>,
    /// The replayer's run.
    pub replayer: Option<ReplayerRun>,
    /// True if a run has scheduled a replay that is not queued yet.
    pub due: bool,
    /// Notifications that arrived on at least one connection.
    pub delivered: Set,
    /// Faults that may still happen.
    pub faults: Faults,
    /// The first promise broken by a step.
    pub violation: Option<Violation>,
    /// Identifies the state in an exploration: see `symmetry.rs`.
    pub fingerprint: u64,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.fingerprint.hash(hasher);
    }
}

impl State {
    /// The state before the first step, without a fingerprint.
    pub fn new(faults: Faults) -> Self {
        Self {
            accepted: 0,
            queue: Vec::new(),
            held: Set::default(),
            pushed_to: [Set::default(); 8],
            connections: Vec::new(),
            graces_over: Set::default(),
            ended: 0,
            connected: CONNECTED,
            dispatcher: None,
            replayer: None,
            due: false,
            delivered: Set::default(),
            faults,
            violation: None,
            fingerprint: 0,
        }
    }

    /// The time that the services see.
    ///
    /// Connections connect at 4 ms, 5 ms and so on. After `ended` graces the time is `GRACE + 4 + ended - 1`,
    /// at which the graces of exactly the first `ended` connections are over. So the clock needs no state of
    /// its own: only the set of graces that are over matters.
    pub fn now(&self) -> Timestamp {
        let ended = u64::from(CONNECTED[0] + self.ended);
        Timestamp::from_millis(ended).plus(GRACE.saturating_sub(MILLISECOND))
    }

    /// Ends the grace of a connection before that of any other whose grace still lasts. Their times of
    /// connecting change places, which is possible because no run has compared them.
    ///
    /// Graces may therefore end in any order. One clock does not allow that, but the edges that record times
    /// of connecting need not share a clock.
    pub fn end_grace(&mut self, index: u8) {
        let place = usize::from(index);
        let next = CONNECTED[0] + self.ended;
        if let Some(first) = self.connected.iter().position(|at| *at == next) {
            self.connected.swap(first, place);
        }
        self.connected[place] = next;
        self.ended += 1;
        self.graces_over.insert(index);
    }

    /// Decides that the grace of a connection was over before the last push was ordered.
    pub fn backdate_grace(&mut self, index: u8) {
        let earlier = self.connected.iter().filter(|at| **at < CONNECTED[0]).count();
        self.connected[usize::from(index)] = IDENTITY[earlier];
        self.graces_over.insert(index);
        if let Some(run) = &mut self.dispatcher
            && matches!(run.machine.task, Task::Push(_))
        {
            run.grace_over_at_order.insert(index);
        }
    }

    /// Resets the clock once no run knows which graces are over.
    pub fn forget_graces(&mut self) {
        (self.graces_over, self.ended, self.connected) = (Set::default(), 0, CONNECTED);
    }

    /// Allows every notification to arrive once more on every connection, after a redelivery.
    pub fn allow_repeats(&mut self) {
        for connection in &mut self.connections {
            connection.received = Set::default();
        }
    }

    /// Connections with a row in the table.
    pub fn listed(&self) -> Set {
        (0..).zip(&self.connections).filter(|(_, connection)| connection.row).map(|(i, _)| i).collect()
    }

    /// Accepted notifications.
    pub fn all(&self) -> Set {
        let mut all = Set::below(self.accepted + 1);
        all.remove(0);
        all
    }

    /// Notifications in the queue, including those that are being dispatched.
    pub fn queued(&self) -> Set {
        let notifications = self.queue.iter().filter_map(|queued| match queued.entry {
            Entry::Notification(n) => Some(n),
            Entry::Replay(_) => None,
        });
        notifications.collect()
    }

    /// True if a connection is open.
    pub fn has_open_connection(&self) -> bool {
        self.connections.iter().any(|connection| connection.socket == Socket::Open)
    }

    /// True if the services have nothing to do and no handshake is in progress.
    pub fn is_quiet(&self) -> bool {
        self.queue.is_empty()
            && !self.due
            && self.dispatcher.is_none()
            && self.replayer.is_none()
            && self.connections.iter().all(|c| !c.stream_record && c.socket != Socket::Handshaking)
    }

    /// The connection with this number.
    ///
    /// # Panics
    /// The device has not connected yet.
    pub(crate) fn connection(&mut self, index: u8) -> &mut Connection {
        &mut self.connections[usize::from(index)]
    }

    /// Writes a row, replacing an existing one.
    pub fn put(&mut self, n: u8, pushed_to: Set) {
        self.held.insert(n);
        *self.row(n) = pushed_to;
    }

    /// Adds connections to a row's `pushedTo`, creating the row if it does not exist.
    pub fn mark(&mut self, n: u8, connections: Set) {
        self.held.insert(n);
        let row = self.row(n);
        *row = row.union(connections);
    }

    /// Deletes a row if it exists.
    pub fn delete(&mut self, n: u8) {
        self.held.remove(n);
        *self.row(n) = Set::default();
    }

    fn row(&mut self, n: u8) -> &mut Set {
        &mut self.pushed_to[usize::from(n)]
    }

    /// Delivers a notification on an open connection, noting a wrong order or a needless repeat.
    pub(crate) fn deliver(&mut self, index: u8, n: u8, acknowledges: bool) {
        let connection = self.connection(index);
        let repeated = connection.received.contains(n);
        let mut violation = repeated.then_some(Violation::Repeated { notification: n, connection: index });
        connection.received.insert(n);
        if acknowledges {
            connection.unacknowledged.insert(n);
        }
        if !self.delivered.contains(n) {
            if let Some(later) = self.delivered.last().filter(|last| *last > n) {
                violation = Some(Violation::Order { first: n, later });
            }
            self.delivered.insert(n);
        }
        self.violation = self.violation.or(violation);
    }
}
