//! The open connections of one process, in memory: their rows, and the frames that wait for their sockets.
//!
//! A [`Registry`] is the table of connections, the stream of its inserts, and the way to the sockets. A push completes
//! when its frames are written to the socket. If the connection closes first, the push ends with [`PushError::Gone`],
//! and the row is gone by then.
//!
//! Written is not received: what the client has not read when its connection dies is lost. So, with [`Confirm::Pong`],
//! every connection acknowledges as far as the dispatcher knows: for a client that does not, the socket does when a pong
//! shows that the client has read (`receipts.rs`).
//!
//! Each socket has one task, which reads messages and writes the send queue. A push to an idle socket
//! writes to it directly, without waking that task. No connection has a timer: [`run_sweeper`] enforces all time limits
//! once a second, and beats the pace of receipts. No connection reads the clock either: moments are those of the sweeps. Locks are held
//! for a few assignments and never across an await.

mod entry;
mod limits;
mod read_ahead;
mod receipts;
mod send_queue;
mod socket;
mod sweep;
mod table;
mod tcp;
mod wire;

use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use contract_connections_v1::{Connection, ConnectionId, ConnectionKey};
use contract_notifications_v1::{Timestamp, UserId};
use dispatcher::ports::{PushError, PushFrame, Pushed};
use shared_ports::{Moment, PortError};
use shared_sync::IgnorePoison as _;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

pub use entry::{Description, OpenConnection, Peer};
pub use limits::{Confirm, Limits, RECEIPT_TIMEOUT};
pub use socket::{Attachment, ClientMessage, Session};
pub use sweep::run_sweeper;
pub use tcp::SharedTcp;

use entry::Entry;
use send_queue::{End, PendingPush};
use table::Table;

/// The open connections. Clones share them.
#[derive(Debug, Clone)]
pub struct Registry(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    table: Table,
    inserted: UnboundedSender<ConnectionKey>,
    limits: Limits,
    /// Time of the last sweep, in milliseconds.
    now: AtomicU64,
    /// Moment of the last sweep, in milliseconds.
    moment: AtomicU64,
    /// Connections that left the table and whose sockets are still open, with the moment at which they left.
    closing: Mutex<Vec<(Moment, Arc<Entry>)>>,
    /// Connections that asked for a receipt since the last beat of the pace of receipts.
    asked: Mutex<Vec<Arc<Entry>>>,
    /// Notified when the first connection is in `asked`.
    first_asked: Notify,
    /// Number of sockets whose task runs.
    sockets: AtomicUsize,
    socket_closed: Notify,
}

impl Registry {
    /// Makes a registry without connections. It sends the key of each new connection to `inserted`.
    pub fn new(inserted: UnboundedSender<ConnectionKey>, limits: Limits) -> Self {
        Self(Arc::new(Shared {
            table: Table::new(),
            inserted,
            limits,
            now: AtomicU64::new(0),
            moment: AtomicU64::new(0),
            closing: Mutex::default(),
            asked: Mutex::default(),
            first_asked: Notify::new(),
            sockets: AtomicUsize::new(0),
            socket_closed: Notify::new(),
        }))
    }

    /// Returns the limits it enforces.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Returns the number of open sockets.
    pub fn open_sockets(&self) -> usize {
        self.0.sockets.load(Ordering::Relaxed)
    }

    /// Describes a connection; `None` if it does not exist.
    pub fn describe(&self, id: &ConnectionId) -> Option<Description> {
        Some(self.describe_entry(&*self.0.table.by_id(id)?))
    }

    /// Describes a user's connections, the oldest first.
    pub fn of(&self, user: &UserId) -> Vec<OpenConnection> {
        let mut entries = self.0.table.entries_of(user);
        entries.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
        let open = |entry: Arc<Entry>| OpenConnection {
            row: entry.row.clone(),
            description: self.describe_entry(&entry),
            waiting_bytes: entry.send_queue.waiting_bytes(),
        };
        entries.into_iter().map(open).collect()
    }

    /// Returns true if a push will probably be the end of a notification within moments: the user has connections, and
    /// no client of them acknowledges by itself.
    pub fn takes_pushes(&self, user: &UserId) -> bool {
        self.0.table.has_only(user, |entry| !entry.row.acknowledges)
    }

    /// Pushes one text frame to a connection of any user.
    ///
    /// # Errors
    /// [`PushError::Gone`] if the connection does not exist or closes before the frame is written.
    pub async fn push_to(&self, id: &ConnectionId, frame: Bytes) -> Result<(), PushError> {
        let entry = self.0.table.by_id(id).ok_or(PushError::Gone)?;
        self.write(&entry, vec![frame.into()]).await.error.map_or(Ok(()), Err)
    }

    /// Closes a connection with 1000. Returns false if it does not exist.
    pub fn close(&self, id: &ConnectionId) -> bool {
        let Some(entry) = self.0.table.by_id(id) else { return false };
        self.retire(&entry, End::ShutOut(CloseCode::Normal, "closed by the operator"));
        true
    }

    /// Closes all connections with 1001 and waits until their sockets are closed. The sweeps drop a client that does not
    /// answer within [`Limits::close_timeout`].
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

    /// Removes a connection from the table and then ends it, in this order, so that a push that learns of the end finds
    /// the row gone.
    fn retire(&self, entry: &Arc<Entry>, end: End) {
        self.0.table.remove(entry);
        if end != End::Drop {
            self.0.closing.lock().ignore_poison().push((self.now(), entry.clone()));
        }
        entry.send_queue.end(end);
    }

    /// Pushes frames to a connection and waits until they are written or the connection ends.
    async fn write(&self, entry: &Arc<Entry>, frames: Vec<PushFrame>) -> Pushed {
        let mut push = PendingPush::new(frames);
        let ended = poll_fn(|cx| entry.send_queue.poll_push(&mut push, self.limits(), self.now(), cx)).await;
        if push.asked {
            self.asked_for_receipt(entry);
        }
        if push.accepted > 0 {
            entry.active(self.now());
        }
        Pushed { accepted: push.accepted, error: ended.err().map(|_| PushError::Gone) }
    }

    /// Notes that a connection asked for a receipt, as the first since the last beat.
    fn asked_for_receipt(&self, entry: &Arc<Entry>) {
        let mut asked = self.0.asked.lock().ignore_poison();
        asked.push(Arc::clone(entry));
        if asked.len() == 1 {
            self.0.first_asked.notify_one();
        }
    }

    fn describe_entry(&self, entry: &Entry) -> Description {
        entry.describe(Timestamp::from_millis(self.0.now.load(Ordering::Relaxed)), self.now())
    }

    fn now(&self) -> Moment {
        Moment::from_millis(self.0.moment.load(Ordering::Relaxed))
    }
}

impl dispatcher::ports::Connections for Registry {
    async fn list(&self, user: &UserId) -> Result<Vec<Connection>, PortError> {
        Ok(self.0.table.of(user, Entry::dispatched_row))
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
    async fn push(&self, user: &UserId, connection: &ConnectionId, frames: Vec<PushFrame>) -> Pushed {
        match self.0.table.get(user, connection) {
            Some(entry) => self.write(&entry, frames).await,
            None => Pushed { accepted: 0, error: Some(PushError::Gone) },
        }
    }
}

impl ws_edge::ports::Connections for Registry {
    async fn put(&self, row: &Connection) -> Result<(), PortError> {
        let entry = Arc::new(Entry::new(row.clone(), &self.0.limits, self.now()));
        if let Some(earlier) = self.0.table.insert(&entry) {
            self.retire(&earlier, End::Drop);
        }
        // Without a receiver the server is shutting down and runs no replays.
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
        Ok(self.0.table.of(user, |entry| entry.row.clone()))
    }

    async fn close(&self, key: &ConnectionKey) -> Result<(), PortError> {
        if let Some(entry) = self.0.table.get(&key.user_id, &key.connection_id) {
            self.retire(&entry, End::ShutOut(CloseCode::Policy, "the gateway closed the connection"));
        }
        Ok(())
    }
}
