//! The state of the world: one user, the user's devices, the queue, the tables and the services at work.

use std::sync::Arc;

use contract_connections_v1::ConnectionId;
use contract_notifications_v1::{Sequence, Timestamp};
use dispatcher::core::run::{Command, PushReport, Run};

use crate::scope::{Faults, GRACE};
use crate::set::Set;

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
    /// Whether a dispatcher has received it before.
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Connection {
    /// The socket.
    pub socket: Socket,
    /// Whether the Connections table has its row.
    pub row: bool,
    /// Whether the stream has a record of its insertion that was not delivered yet.
    pub record: bool,
    /// What arrived over it, as long as it lives.
    pub received: Set,
    /// What arrived over it again: once for every time too many, ascending.
    pub repeated: Vec<u8>,
    /// What arrived and whose ack has not.
    pub unacknowledged: Set,
}

/// A dispatcher at work on the first entries of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dispatch {
    /// The real machine.
    pub run: Run<()>,
    /// How many entries it received.
    pub taken: u8,
    /// What it wants done.
    pub command: Command<()>,
    /// Whether it has listed connections.
    pub has_listed: bool,
    /// How many rows of the command are written.
    pub written: u8,
    /// How far each order of a push has come, and whether it is over.
    pub orders: Vec<(PushReport, bool)>,
    /// The connections whose pushes were refused, while waiting to try again; and whether a refusal was
    /// of the passing sort.
    pub refused: (Set, bool),
    /// Whether it received a new notification; kept only where a rule that is left out needs it.
    pub new: bool,
    /// Rows to be put once they are pushed; only where the rule that they are put before is left out.
    pub puts_late: Vec<(u8, Set)>,
    /// The connections it listed first; kept only where a rule that is left out needs it.
    pub first_listed: Option<Set>,
}

/// A replayer at work on a stream record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Replay {
    /// The real machine.
    pub machine: replayer::Machine,
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
    /// It arrived over one connection more often than there were redeliveries.
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    /// How many notifications were accepted.
    pub accepted: u8,
    /// The user's message group, in order.
    pub queue: Vec<Queued>,
    /// The user's mailbox: which notifications are held.
    pub held: Set,
    /// For each notification (the first is no. 1), the connections in its row's `pushedTo`.
    pub pushed_to: Vec<Set>,
    /// Connections, in the order of their handshakes.
    pub connections: Vec<Connection>,
    /// How many connections' grace is over: those that came first.
    pub graces_over: u8,
    /// The dispatcher's run, if there is one. The message group allows no second.
    pub dispatch: Option<Arc<Dispatch>>,
    /// The replayer's run, if there is one.
    pub replay: Option<Arc<Replay>>,
    /// What arrived over some connection.
    pub delivered: Set,
    /// What a half-open connection swallowed.
    pub swallowed: Set,
    /// How often entries were, or may have been, delivered again, or pushes done again.
    pub again: u8,
    /// What may still go wrong.
    pub faults: Faults,
    /// The first promise broken in a step.
    pub broken: Option<Broken>,
}

impl World {
    /// Before anything happened.
    pub fn new(notifications: u8, faults: Faults) -> Self {
        Self {
            accepted: 0,
            queue: Vec::new(),
            held: Set::default(),
            pushed_to: vec![Set::default(); usize::from(notifications) + 1],
            connections: Vec::new(),
            graces_over: 0,
            dispatch: None,
            replay: None,
            delivered: Set::default(),
            swallowed: Set::default(),
            again: 0,
            faults,
            broken: None,
        }
    }

    /// The time the services are told.
    ///
    /// Connection `i` connected at `i` ms; so the first `n` connections' grace is over, and no others',
    /// at `GRACE + n - 1`. That keeps the clock out of the world: only whose grace is over is in it.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(u64::from(self.graces_over)).plus(GRACE.saturating_sub(MILLISECOND))
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
