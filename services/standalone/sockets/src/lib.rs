//! The open connections, in memory: each one's row, and what waits to be written to its socket.
//!
//! A [`Registry`] is the Connections table, the stream of its inserts, and the way to the sockets. A push
//! is complete when its frames were written to the socket, so nothing counts as delivered that still is in
//! this process's memory; it ends with [`PushError::Gone`] when the connection is closed first, and by then
//! the row is gone too.
//!
//! No connection has a timer of its own: [`Registry::sweep`], called once a second, keeps all the limits
//! of time. Nor does a connection read the clock: its times are those of the sweeps.

mod entry;
mod limits;
mod outbox;
mod socket;
mod sweep;
mod table;
mod tcp;
mod wire;

use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use contract_connections_v1::{Connection, ConnectionId, ConnectionKey};
use contract_notifications_v1::{Timestamp, UserId};
use dispatcher::ports::{PushError, Pushed};
use shared_ports::PortError;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

pub use entry::{Description, OpenConnection, Peer};
pub use limits::Limits;
pub use socket::{Attachment, ClientMessage, Session};
pub use sweep::run_sweeper;
pub use tcp::SharedTcp;

use entry::Entry;
use outbox::{End, PendingPush};
use table::Table;

/// The open connections. Clones share them.
#[derive(Debug, Clone)]
pub struct Registry(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    table: Table,
    inserted: UnboundedSender<ConnectionKey>,
    limits: Limits,
    /// The time of the last sweep or connect.
    now: AtomicU64,
    /// Connections that left the table and whose sockets are still to close, with the time they did.
    closing: Mutex<Vec<(Timestamp, Arc<Entry>)>>,
    /// Sockets whose task runs.
    sockets: AtomicUsize,
    socket_closed: Notify,
}

/// A lock whose holder panicked still guards whole values here: every critical section is a few
/// assignments.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    /// No connections yet. The key of every one that comes is sent to `inserted`.
    pub fn new(inserted: UnboundedSender<ConnectionKey>, limits: Limits) -> Self {
        Self(Arc::new(Shared {
            table: Table::new(),
            inserted,
            limits,
            now: AtomicU64::new(0),
            closing: Mutex::default(),
            sockets: AtomicUsize::new(0),
            socket_closed: Notify::new(),
        }))
    }

    /// The limits it keeps.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// How many sockets are open.
    pub fn open_sockets(&self) -> usize {
        self.0.sockets.load(Ordering::Relaxed)
    }

    /// What is known of a connection; `None` when there is none.
    pub fn describe(&self, id: &ConnectionId) -> Option<Description> {
        Some(self.0.table.by_id(id)?.describe())
    }

    /// What is known of a user's connections, the oldest first.
    pub fn of(&self, user: &UserId) -> Vec<OpenConnection> {
        let mut entries = self.0.table.entries_of(user);
        entries.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
        let open = |entry: Arc<Entry>| OpenConnection {
            row: entry.row.clone(),
            description: entry.describe(),
            waiting_bytes: entry.outbox.waiting_bytes(),
        };
        entries.into_iter().map(open).collect()
    }

    /// Whether a push is all it takes to deliver to a user: there are connections, and none acknowledges.
    pub fn takes_pushes(&self, user: &UserId) -> bool {
        self.0.table.has_only(user, |entry| !entry.row.acknowledges)
    }

    /// Pushes one text frame to a connection, whosever it is.
    ///
    /// # Errors
    /// [`PushError::Gone`] when there is no such connection, or it closed before the frame was written.
    pub async fn push_to(&self, id: &ConnectionId, frame: Bytes) -> Result<(), PushError> {
        let entry = self.0.table.by_id(id).ok_or(PushError::Gone)?;
        self.write(&entry, vec![frame]).await.error.map_or(Ok(()), Err)
    }

    /// Closes a connection with 1000; `false` when there is none.
    pub fn close(&self, id: &ConnectionId) -> bool {
        let Some(entry) = self.0.table.by_id(id) else { return false };
        self.retire(&entry, End::Close(CloseCode::Normal, "closed by the operator"));
        true
    }

    /// Closes every connection with 1001 and waits until their sockets are closed. A client that does not
    /// answer is dropped by the sweeps, after the close timeout.
    pub async fn close_all(&self) {
        for entry in self.0.table.entries() {
            self.retire(&entry, End::Close(CloseCode::Away, "the server is shutting down"));
        }
        loop {
            let closed = self.0.socket_closed.notified();
            if self.open_sockets() == 0 {
                return;
            }
            closed.await;
        }
    }

    /// Takes a connection out of the table, then ends it: a push that learns of the end finds the row
    /// gone.
    fn retire(&self, entry: &Arc<Entry>, end: End) {
        self.0.table.remove(entry);
        if end != End::Drop {
            lock(&self.0.closing).push((self.now(), entry.clone()));
        }
        entry.outbox.end(end);
    }

    async fn write(&self, entry: &Entry, frames: Vec<Bytes>) -> Pushed {
        let mut push = PendingPush::new(frames);
        let ended = poll_fn(|cx| entry.outbox.poll_push(&mut push, self.limits(), self.now(), cx)).await;
        if push.accepted > 0 {
            entry.active(self.now());
        }
        Pushed { accepted: push.accepted, error: ended.err().map(|_| PushError::Gone) }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.now.load(Ordering::Relaxed))
    }
}

impl dispatcher::ports::Connections for Registry {
    async fn list(&self, user: &UserId) -> Result<Vec<Connection>, PortError> {
        Ok(self.0.table.of(user))
    }

    async fn forget(
        &self,
        user: &UserId,
        connection: &ConnectionId,
        connected_at: Timestamp,
    ) -> Result<(), PortError> {
        let entry = self.0.table.get(user, connection);
        if let Some(entry) = entry.filter(|entry| entry.row.connected_at == connected_at) {
            self.retire(&entry, End::Close(CloseCode::Away, "the connection was given up"));
        }
        Ok(())
    }
}

impl dispatcher::ports::Push for Registry {
    async fn push(&self, user: &UserId, connection: &ConnectionId, frames: Vec<Bytes>) -> Pushed {
        match self.0.table.get(user, connection) {
            Some(entry) => self.write(&entry, frames).await,
            None => Pushed { accepted: 0, error: Some(PushError::Gone) },
        }
    }
}

impl ws_edge::ports::Connections for Registry {
    async fn put(&self, row: &Connection) -> Result<(), PortError> {
        self.0.now.fetch_max(row.connected_at.millis(), Ordering::Relaxed);
        if let Some(earlier) = self.0.table.insert(&Arc::new(Entry::new(row.clone()))) {
            self.retire(&earlier, End::Drop);
        }
        // Without a receiver the server is shutting down, and nobody replays any more.
        let _ = self.0.inserted.send(row.into());
        Ok(())
    }

    async fn delete(&self, key: &ConnectionKey) -> Result<(), PortError> {
        if let Some(entry) = self.0.table.get(&key.user_id, &key.connection_id) {
            self.retire(&entry, End::Close(CloseCode::Away, "the connection was deleted"));
        }
        Ok(())
    }

    async fn list(&self, user: &UserId) -> Result<Vec<Connection>, PortError> {
        Ok(self.0.table.of(user))
    }

    async fn close(&self, key: &ConnectionKey) -> Result<(), PortError> {
        if let Some(entry) = self.0.table.get(&key.user_id, &key.connection_id) {
            self.retire(&entry, End::Close(CloseCode::Policy, "the gateway closed the connection"));
        }
        Ok(())
    }
}
