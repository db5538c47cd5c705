//! One connection: its row, its peer, and its send queue.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use contract_connections_v1::{Connection, ConnectionId};
use contract_notifications_v1::Timestamp;
use shared_ports::Moment;

use super::limits::{Confirm, Limits};
use super::receipts::Receipts;
use super::send_queue::SendQueue;

/// The other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The address the connection came from.
    pub ip: IpAddr,
    /// The client's `User-Agent`; empty if it sent none.
    pub user_agent: Box<str>,
}

/// The state of an open connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Time at which its handshake was accepted.
    pub connected_at: Timestamp,
    /// Time of the last message in either direction, to the second.
    pub last_active_at: Timestamp,
    /// The other end; unknown until the handshake is answered.
    pub peer: Option<Peer>,
}

/// A user's open connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenConnection {
    /// Its row.
    pub row: Connection,
    /// Its state.
    pub description: Description,
    /// Number of bytes that wait for its socket or are being written.
    pub waiting_bytes: usize,
}

/// A connection in the table.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) row: Connection,
    /// True if pongs are the receipts of its notifications.
    pub(super) receipts: bool,
    pub(super) send_queue: SendQueue,
    pub(super) peer: OnceLock<Box<Peer>>,
    /// Moment at which it was inserted.
    pub(super) inserted_at: Moment,
    /// Moment at which the client was last heard, in milliseconds.
    pub(super) heard: AtomicU64,
    /// Moment of the last message in either direction, in milliseconds.
    pub(super) active: AtomicU64,
}

impl Entry {
    /// Makes an entry. The limits tell when a client that does not acknowledge has its notifications.
    pub(super) fn new(row: Connection, limits: &Limits, now: Moment) -> Self {
        let receipts = limits.confirm == Confirm::Pong && !row.acknowledges;
        Self {
            row,
            receipts,
            send_queue: SendQueue::new(receipts.then(|| Receipts::new(limits.buffer_bytes))),
            peer: OnceLock::new(),
            inserted_at: now,
            heard: AtomicU64::new(now.millis()),
            active: AtomicU64::new(now.millis()),
        }
    }

    /// Describes the connection; the time `now` is that of the moment `moment`.
    pub(super) fn describe(&self, now: Timestamp, moment: Moment) -> Description {
        let idle = moment.since(self.active_at());
        let idle = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
        Description {
            connected_at: self.row.connected_at,
            // Not before the connection itself, if the clock was corrected since.
            last_active_at: Timestamp::from_millis(now.millis().saturating_sub(idle))
                .max(self.row.connected_at),
            peer: self.peer.get().map(|peer| (**peer).clone()),
        }
    }

    pub(super) fn heard(&self, now: Moment) {
        self.heard.store(now.millis(), Ordering::Relaxed);
    }

    pub(super) fn active(&self, now: Moment) {
        self.active.store(now.millis(), Ordering::Relaxed);
    }

    pub(super) fn heard_at(&self) -> Moment {
        Moment::from_millis(self.heard.load(Ordering::Relaxed))
    }

    pub(super) fn active_at(&self) -> Moment {
        Moment::from_millis(self.active.load(Ordering::Relaxed))
    }

    /// Returns its row for the dispatcher: with receipts, the socket acknowledges for the client.
    pub(super) fn dispatched_row(&self) -> Connection {
        let acknowledges = self.row.acknowledges || self.receipts;
        Connection { acknowledges, ..self.row.clone() }
    }

    /// Returns the sort key that puts the oldest connection first.
    pub(super) fn order(&self) -> (Timestamp, &ConnectionId) {
        (self.row.connected_at, &self.row.connection_id)
    }

    /// Returns true if its socket is open.
    pub(super) fn is_open(&self) -> bool {
        self.peer.get().is_some()
    }
}
