//! The state of the world: one user, the user's devices, the queue, the tables and the services at work.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use contract_connections_v1::ConnectionId;
use contract_notifications_v1::{Sequence, Timestamp};
use dispatcher::core::run::Refusal;

use crate::machine::{Numbers, ReplayAt, RunAt, SAME, Task};
use crate::scope::{Faults, GRACE};
use crate::set::Set;

/// Most devices of a scope.
pub(crate) const MAX_DEVICES: usize = 4;

/// When connections connected, in milliseconds, as far as nobody has asked for it. There is room before the
/// first for those of which it turns out that they connected earlier.
pub(crate) const CONNECTED: Numbers = [4, 5, 6, 7];

/// An entry of the user's message group. A notification's number is its sequence, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entry {
    /// A notification, in the order of its acceptance.
    Notification(u8),
    /// Deliver what is held up to this one.
    Replay(u8),
}

/// An entry in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Queued {
    /// The entry.
    pub entry: Entry,
    /// Whether a dispatcher has received it before; kept of notifications, for nobody asks it of replays.
    pub received: bool,
}

/// What a connection's socket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Socket {
    /// `$connect` has not returned: a push gets 410.
    Handshaking,
    /// What is pushed arrives.
    Open,
    /// The gateway takes pushes and nobody receives them.
    HalfOpen,
    /// A push gets 410.
    Closed,
}

/// A connection of one of the user's devices. Its number is its place in the scope's devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Connection {
    /// The socket.
    pub socket: Socket,
    /// Whether the Connections table has its row.
    pub row: bool,
    /// Whether the stream has a record of its insertion that was not delivered yet.
    pub record: bool,
    /// What arrived over it since anything was last delivered again, as long as it lives.
    pub received: Set,
    /// What arrived and whose ack has not.
    pub unacknowledged: Set,
}

/// A dispatcher at work on the first entries of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatch {
    /// The real machine, and what it wants done.
    pub at: Arc<RunAt>,
    /// How many entries it received.
    pub taken: u8,
    /// The connections that it was told of; nothing if it has listed none yet.
    pub told: Option<Set>,
    /// How many rows of the command are written.
    pub written: u8,
    /// How far the push to each connection has come.
    pub pushes: [Progress; MAX_DEVICES],
    /// The connections whose grace was over when the push was ordered.
    pub ordered: Set,
    /// The connections whose pushes were refused, while waiting to try again; and whether a refusal was
    /// of the passing sort.
    pub refused: (Set, bool),
    /// Whether it received new notifications alone; kept only where a rule that is left out needs it.
    pub new: bool,
    /// Rows to be put once they are pushed; only where the rule that they are put before is left out.
    pub puts_late: Vec<(u8, Set)>,
    /// The connections it listed first, or since it put a row; kept only where a rule that is left out needs
    /// it.
    pub first_listed: Option<Set>,
}

/// How far the push to a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Progress {
    /// Frames accepted.
    pub accepted: u8,
    /// Why the next one was not.
    pub refusal: Option<Refusal>,
    /// Whether it is over.
    pub over: bool,
}

/// A replayer at work on a stream record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The real machine, and what it wants done.
    pub at: Arc<ReplayAt>,
    /// Whose record it is.
    pub connection: u8,
}

/// A promise that was broken in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Broken {
    /// `first` arrived for the first time when `later` had arrived.
    Order {
        /// What came too late.
        first: u8,
        /// What came before it.
        later: u8,
    },
    /// It arrived over one connection again, and nothing was delivered again in between.
    Repeated {
        /// What arrived.
        notification: u8,
        /// Over which connection.
        connection: u8,
    },
    /// The core gave something that fits no world.
    Nonsense(&'static str),
}

/// The world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    /// How many notifications were accepted.
    pub accepted: u8,
    /// The user's message group, in order.
    pub queue: Vec<Queued>,
    /// The user's mailbox: which notifications are held.
    pub held: Set,
    /// For each notification (the first is no. 1), the connections in its row's `pushedTo`.
    pub pushed_to: [Set; 8],
    /// Connections, in the order of their handshakes.
    pub connections: Vec<Connection>,
    /// The connections whose grace is over.
    pub graces_over: Set,
    /// How many graces ended, as far as the clock is concerned: see [`World::now`].
    pub ended: u8,
    /// When each connection connected, in milliseconds: earlier if its grace is over earlier.
    pub connected: Numbers,
    /// The dispatcher's run, if there is one. The message group allows no second.
    pub dispatch: Option<Dispatch>,
    /// The replayer's run, if there is one.
    pub replay: Option<Replay>,
    /// What arrived over some connection.
    pub delivered: Set,
    /// What may still go wrong.
    pub faults: Faults,
    /// The first promise broken in a step.
    pub broken: Option<Broken>,
    /// Stands for the world where only those are compared that matter: see `symmetry.rs`.
    pub fingerprint: u64,
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fingerprint.hash(state);
    }
}

impl World {
    /// Before anything happened.
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
            dispatch: None,
            replay: None,
            delivered: Set::default(),
            faults,
            broken: None,
            fingerprint: 0,
        }
    }

    /// The time the services are told.
    ///
    /// Connections connected at 4 ms, 5 ms and so on; so after `ended` graces that of the first `ended` is
    /// over, and of no others, at `GRACE + 4 + ended - 1`. That keeps the clock out of the world: only whose
    /// grace is over is in it.
    pub fn now(&self) -> Timestamp {
        let ended = u64::from(CONNECTED[0] + self.ended);
        Timestamp::from_millis(ended).plus(GRACE.saturating_sub(MILLISECOND))
    }

    /// The grace of a connection is over. Of the others none was earlier, whenever they connected: nobody
    /// has noticed yet.
    ///
    /// So graces end in any order, which is more than can happen with one clock: the edges that write down
    /// when a connection connected need not have the same.
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

    /// The grace of a connection was over already when the last push was ordered, as it turns out.
    pub fn ended_before(&mut self, index: u8) {
        let earlier = self.connected.iter().filter(|at| **at < CONNECTED[0]).count();
        self.connected[usize::from(index)] = SAME[earlier];
        self.graces_over.insert(index);
        if let Some(dispatch) = &mut self.dispatch
            && matches!(dispatch.at.task, Task::Push(_))
        {
            dispatch.ordered.insert(index);
        }
    }

    /// Nobody knows any more whose grace is over.
    pub fn forget_graces(&mut self) {
        (self.graces_over, self.ended, self.connected) = (Set::default(), 0, CONNECTED);
    }

    /// Everything that arrived may arrive again.
    pub fn delivered_again(&mut self) {
        for connection in &mut self.connections {
            connection.received = Set::default();
        }
    }

    /// The connections whose rows are in the table.
    pub fn listed(&self) -> Set {
        (0..).zip(&self.connections).filter(|(_, connection)| connection.row).map(|(i, _)| i).collect()
    }

    /// The accepted notifications.
    pub fn all(&self) -> Set {
        let mut all = Set::below(self.accepted + 1);
        all.remove(0);
        all
    }

    /// The notifications that wait in the queue or are being dispatched.
    pub fn queued(&self) -> Set {
        let notifications = self.queue.iter().filter_map(|queued| match queued.entry {
            Entry::Notification(n) => Some(n),
            Entry::Replay(_) => None,
        });
        notifications.collect()
    }

    /// Whether some connection is open.
    pub fn somebody_is_there(&self) -> bool {
        self.connections.iter().any(|connection| connection.socket == Socket::Open)
    }

    /// Whether the services have nothing to do and no handshake is in progress.
    pub fn is_quiet(&self) -> bool {
        self.queue.is_empty()
            && self.dispatch.is_none()
            && self.replay.is_none()
            && self.connections.iter().all(|c| !c.record && c.socket != Socket::Handshaking)
    }
}

const MILLISECOND: std::time::Duration = std::time::Duration::from_millis(1);

/// The name of connection `index`.
pub(crate) fn connection_id(index: u8) -> ConnectionId {
    ConnectionId::new(format!("c{}", index + 1))
}

/// The number of the connection of this name.
pub(crate) fn connection_index(id: &ConnectionId) -> u8 {
    id.as_str().trim_start_matches('c').parse().map_or(0, |number: u8| number.saturating_sub(1))
}

/// The number of the notification of this sequence.
pub(crate) fn number(sequence: Sequence) -> u8 {
    u8::try_from(sequence.number()).unwrap_or(0)
}

/// The sequence of notification `number`.
pub(crate) fn sequence(number: u8) -> Sequence {
    Sequence::new(u128::from(number))
}
