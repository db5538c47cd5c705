//! Ports of the dispatcher: narrow traits that adapters implement, with embedded storage and sockets in one
//! process, or with DynamoDB, SQS and API Gateway on AWS.
//!
//! No SDK type crosses a port. An adapter type may implement several ports. [`Ports`] names the adapters of
//! one dispatcher, so that the dispatcher has one type parameter.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contract_connections_v1::{Connection, ConnectionId};
use contract_history_v1::MessageRow;
use contract_notifications_v1::{FanOut, HubName, Notification, Replay, Sequence, Timestamp, UserId};
use shared_ports::{Clock, PortError};
use shared_retry::Jitter;

use crate::core::ConnectionSet;

/// The adapters of a [`Dispatcher`](crate::Dispatcher), one for each port.
///
/// A type that implements this trait stands for one way to put a dispatcher together; usually it is an empty
/// enum.
pub trait Ports {
    /// The Connections table.
    type Connections: Connections;
    /// The users' mailboxes.
    type Mailbox: Mailbox;
    /// Pushes to clients.
    type Push: Push;
    /// The notifications queue.
    type Queue: ReplayQueue;
    /// The clock.
    type Clock: Clock;
    /// The jitter of retry delays.
    type Jitter: Jitter;
    /// The history of deliveries.
    type History: History;
}

/// The adapters of a [`BatchDispatcher`](crate::BatchDispatcher): those of a dispatcher, and those that only
/// a batch needs.
pub trait BatchPorts: Ports<Queue: BroadcastQueue> {
    /// The dead-letter queue.
    type DeadLetters: DeadLetters;
    /// Postpones failed entries.
    type Redelivery: Redelivery;
    /// The members of hubs.
    type Members: HubMembers;
    /// The notifications queues, seen from the one that the batches come from.
    type Homes: Homes;
}

/// The Connections table, as the dispatcher uses it.
pub trait Connections: Send + Sync {
    /// Lists the user's open connections, strongly consistently: a row whose insertion has returned is in the
    /// list (rule R2 depends on it).
    ///
    /// `acknowledges` is true for a connection whose client acknowledges, and for one whose adapter learns that
    /// the client has a frame, and then acknowledges for it.
    fn list(&self, user: &UserId) -> impl Future<Output = Result<Vec<Connection>, PortError>> + Send;

    /// Deletes the row of a closed connection if it still is the row inserted at `connected_at`.
    fn forget(
        &self,
        user: &UserId,
        connection: &ConnectionId,
        connected_at: Timestamp,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// A row of a mailbox: a held notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxRow {
    /// Position in the user's order.
    pub sequence: Sequence,
    /// The notification.
    pub notification: Arc<Notification>,
    /// The connections it was pushed to, or was about to be pushed to.
    pub pushed_to: ConnectionSet,
}

/// Selects rows of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageQuery {
    /// Only rows after this one.
    pub after: Option<Sequence>,
    /// Only rows up to and including this one.
    pub up_to: Sequence,
    /// Only rows that were not yet pushed to at least one of these connections. Never empty.
    pub due_for: Vec<ConnectionId>,
    /// Maximum number of rows, at least 1.
    pub limit: usize,
}

/// A page of a mailbox, in ascending order of sequence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The rows.
    pub rows: Vec<MailboxRow>,
    /// True if further rows may match the query. An empty page must not say so.
    pub more: bool,
}

/// The users' mailboxes, as the dispatcher uses them.
pub trait Mailbox: Send + Sync {
    /// Reads rows, strongly consistently.
    fn page(&self, user: &UserId, query: PageQuery) -> impl Future<Output = Result<Page, PortError>> + Send;

    /// Inserts rows, replacing those that exist. After an error, some may have been written.
    fn put(&self, user: &UserId, rows: Vec<MailboxRow>)
    -> impl Future<Output = Result<(), PortError>> + Send;

    /// Deletes rows; a missing row is no error. After an error, some may have been deleted.
    fn delete(
        &self,
        user: &UserId,
        sequences: &[Sequence],
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Adds connections to the `pushed_to` of rows. Skips rows that no longer exist: a row that the client
    /// has acknowledged in the meantime must not come back.
    fn mark(
        &self,
        user: &UserId,
        marks: &[(Sequence, ConnectionSet)],
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// A text frame to push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushFrame {
    /// The text.
    pub text: Bytes,
    /// The notifications in it that are in the mailbox and leave it when the client has them. An adapter that learns of
    /// that by itself acknowledges them for the client.
    pub sequences: Vec<Sequence>,
}

impl From<Bytes> for PushFrame {
    /// Makes a frame without notifications that are in the mailbox.
    fn from(text: Bytes) -> Self {
        Self { text, sequences: Vec::new() }
    }
}

impl From<&'static str> for PushFrame {
    /// Makes a frame without notifications that are in the mailbox.
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

/// Reasons for refusing a frame.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The connection does not exist: API Gateway's 410.
    #[error("the connection does not exist")]
    Gone,
    /// Throttled, timed out or unreachable; a later attempt may succeed.
    #[error("the push is not possible at the moment")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Result of pushing several frames.
#[derive(Debug)]
pub struct Pushed {
    /// Number of frames accepted, counted from the first.
    pub accepted: usize,
    /// The error of the next frame, unless all were accepted.
    pub error: Option<PushError>,
}

/// Pushes to clients.
pub trait Push: Send + Sync {
    /// Sends text frames to one connection in order, until one is refused. A frame is accepted or refused as
    /// a whole.
    fn push(
        &self,
        user: &UserId,
        connection: &ConnectionId,
        frames: Vec<PushFrame>,
    ) -> impl Future<Output = Pushed> + Send;
}

/// The notifications queue, as a run uses it.
pub trait ReplayQueue: Send + Sync {
    /// Queues a replay entry behind all other entries of its user.
    fn enqueue(&self, replay: Replay) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Has a replay entry for the user's whole mailbox queued in a while, behind all other entries of the user by
    /// then. A queue without such a delay does it at once.
    fn enqueue_later(&self, user: &UserId) -> impl Future<Output = Result<(), PortError>> + Send {
        self.enqueue(Replay { user_id: user.clone(), sequence: Sequence::MAX })
    }
}

/// A page of a hub's members.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MembersPage {
    /// The users in ascending order, without duplicates.
    pub users: Vec<UserId>,
    /// True if there may be members after the last user. An empty page must not say so.
    pub more: bool,
}

/// The hubs' members, as the dispatcher uses them.
pub trait HubMembers: Send + Sync {
    /// Reads the users who have joined a hub, in the order of their ids: those after `after`, at most
    /// `limit`, which is at least 1.
    fn page(
        &self,
        hub: &HubName,
        after: Option<&UserId>,
        limit: usize,
    ) -> impl Future<Output = Result<MembersPage, PortError>> + Send;
}

/// The notifications queue, as a broadcast fills it.
pub trait NotificationQueue: Send + Sync {
    /// Queues notifications of different users, and ignores those whose id was queued before. After an error,
    /// some may have been queued.
    fn send(&self, notifications: Vec<Notification>) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// The notifications queue, as it keeps broadcasts in progress.
pub trait BroadcastQueue: NotificationQueue {
    /// Queues the rest of a broadcast behind all other entries of its hub.
    fn enqueue_rest(&self, rest: FanOut) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// An entry that another queue received than that of its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardedEntry<'a> {
    /// The message group, which names the user or the hub.
    pub group: &'a str,
    /// The deduplication ID that it had.
    pub deduplication_id: &'a str,
    /// The body, with the id and the send time that the receiving queue would have given it.
    pub body: String,
}

/// The notifications queues of a deployment, seen from the one that the batches come from. Each message group has one
/// of them as its home, which numbers the group's notifications.
pub trait Homes: Send + Sync {
    /// Returns true if the batches come from the group's home.
    fn is_home(&self, group: &str) -> bool;

    /// Queues an entry at its group's home, behind all other entries of the group there, unless an entry with its
    /// deduplication ID was queued there in the last minutes.
    fn forward(&self, entry: ForwardedEntry<'_>) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// An entry that can never succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadLetter<'a> {
    /// The message group it was in.
    pub group: &'a str,
    /// The body, unchanged.
    pub body: &'a str,
    /// The queue's id of the message, the same at every redelivery.
    pub message_id: &'a str,
    /// The reason, for people.
    pub reason: &'a str,
    /// The queue's part of the entry; `None` for what was no entry, such as a row of the mailbox.
    pub origin: Option<EntryOrigin<'a>>,
}

/// The queue's part of an entry, which a notification takes where its body has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryOrigin<'a> {
    /// The deduplication ID, the id of a notification without one.
    pub deduplication_id: &'a str,
    /// Time at which the queue accepted the entry, the send time of a notification without one.
    pub sent_at: Timestamp,
}

/// The dead-letter queue.
pub trait DeadLetters: Send + Sync {
    /// Puts an entry into the dead-letter queue, once for each `message_id`.
    fn dead_letter(&self, letter: DeadLetter<'_>) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Decides when the notifications queue delivers failed entries again.
pub trait Redelivery: Send + Sync {
    /// Sets the visibility timeout of the entries with these receipts, all of one message group, to `delay`.
    /// Fails if it has ended for one of them, so that somebody else may have received the entries. After an
    /// error, some may have been set.
    fn postpone(
        &self,
        receipts: &[&str],
        delay: Duration,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Contents of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryPolicy {
    /// Time for which rows are kept.
    pub lifetime: Duration,
    /// True if rows contain the payload.
    pub payloads: bool,
}

/// The history of deliveries. Delivery does not depend on it: a failing history changes no delivery.
pub trait History: Send + Sync {
    /// Returns what to record, or `None` if the history is off. Runs are then not observed at all.
    fn policy(&self) -> Option<HistoryPolicy>;

    /// Records rows of one user, no two of them with the same key.
    ///
    /// There is no error for the caller to act on: an implementation logs rows that it can't record, and
    /// counts them as `tidings_history_failed_total` ([`count_history_failed`](crate::count_history_failed)).
    /// They are lost.
    fn record(&self, user: &UserId, rows: Vec<MessageRow>) -> impl Future<Output = ()> + Send;
}

/// A history that is off.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHistory;

impl History for NoHistory {
    fn policy(&self) -> Option<HistoryPolicy> {
        None
    }

    async fn record(&self, _: &UserId, _: Vec<MessageRow>) {}
}

/// A history that is off if it is `None`.
impl<H: History> History for Option<H> {
    fn policy(&self) -> Option<HistoryPolicy> {
        self.as_ref().and_then(History::policy)
    }

    async fn record(&self, user: &UserId, rows: Vec<MessageRow>) {
        if let Some(history) = self {
            history.record(user, rows).await;
        }
    }
}
