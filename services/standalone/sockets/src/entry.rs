//! One connection: its row, its peer, and its send queue.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use contract_connections_v1::{Connection, ConnectionId};
use contract_notifications_v1::Timestamp;

use super::limits::Confirm;
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
    /// Time at which the client was last heard, in milliseconds.
    pub(super) heard: AtomicU64,
    /// Time of the last message in either direction, in milliseconds.
    pub(super) active: AtomicU64,
}

impl Entry {
    /// Makes an entry. `confirm` tells when a client that does not acknowledge has its notifications.
    pub(super) fn new(row: Connection, confirm: Confirm) -> Self {
        let since = row.connected_at.millis();
        let receipts = confirm == Confirm::Pong && !row.acknowledges;
        Self {
            row,
            receipts,
            send_queue: SendQueue::new(receipts),
            peer: OnceLock::new(),
            heard: AtomicU64::new(since),
            active: AtomicU64::new(since),
        }
    }

    pub(super) fn describe(&self) -> Description {
        Description {
            connected_at: self.row.connected_at,
            last_active_at: self.active_at(),
            peer: self.peer.get().map(|peer| (**peer).clone()),
        }
    }

    pub(super) fn heard(&self, now: Timestamp) {
        self.heard.store(now.millis(), Ordering::Relaxed);
    }

    pub(super) fn active(&self, now: Timestamp) {
        self.active.store(now.millis(), Ordering::Relaxed);
    }

    pub(super) fn heard_at(&self) -> Timestamp {
        Timestamp::from_millis(self.heard.load(Ordering::Relaxed))
    }

    pub(super) fn active_at(&self) -> Timestamp {
        Timestamp::from_millis(self.active.load(Ordering::Relaxed))
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
