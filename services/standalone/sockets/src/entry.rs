//! One connection: its row, who is at the other end, and what waits for its socket.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use contract_connections_v1::{Connection, ConnectionId};
use contract_notifications_v1::Timestamp;

use super::outbox::Outbox;

/// Who is at the other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The address the connection came from.
    pub ip: IpAddr,
    /// What the client calls itself.
    pub user_agent: Box<str>,
}

/// What is known of an open connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// When its handshake was accepted.
    pub connected_at: Timestamp,
    /// When a message last went either way, to the second.
    pub last_active_at: Timestamp,
    /// Who is at the other end; unknown while the handshake is being answered.
    pub peer: Option<Peer>,
}

/// A user's open connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenConnection {
    /// Its row.
    pub row: Connection,
    /// What is known of it.
    pub description: Description,
    /// Bytes of frames that wait to be written to its socket, or are being written.
    pub waiting_bytes: usize,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) row: Connection,
    pub(super) outbox: Outbox,
    pub(super) peer: OnceLock<Box<Peer>>,
    /// When anything last came from the client.
    pub(super) heard: AtomicU64,
    /// When a message last went either way.
    pub(super) active: AtomicU64,
    /// When the ping was sent that nothing was heard since; 0 when there is none.
    pub(super) pinged: AtomicU64,
}

impl Entry {
    pub(super) fn new(row: Connection) -> Self {
        let since = row.connected_at.millis();
        Self {
            row,
            outbox: Outbox::default(),
            peer: OnceLock::new(),
            heard: AtomicU64::new(since),
            active: AtomicU64::new(since),
            pinged: AtomicU64::new(0),
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
        self.pinged.store(0, Ordering::Relaxed);
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

    /// Sorts connections: the oldest first.
    pub(super) fn order(&self) -> (Timestamp, &ConnectionId) {
        (self.row.connected_at, &self.row.connection_id)
    }

    /// Whether its socket is open.
    pub(super) fn is_open(&self) -> bool {
        self.peer.get().is_some()
    }
}
