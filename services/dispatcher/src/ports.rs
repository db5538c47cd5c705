//! What the dispatcher needs of the world. Adapters give it: embedded storage and sockets in one process,
//! DynamoDB, SQS and API Gateway on AWS.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contract_connections_v1::{Connection, ConnectionId};
use contract_history_v1::MessageRow;
use contract_notifications_v1::{FanOut, HubName, Notification, Replay, Sequence, Timestamp, UserId};
use shared_ports::PortError;

/// The Connections table, as the dispatcher uses it.
pub trait Connections: Send + Sync {
    /// Every open connection of the user, strongly consistently: a row whose insertion has returned is in
    /// the list (rule R2 depends on it).
    fn list(&self, user: &UserId) -> impl Future<Output = Result<Vec<Connection>, PortError>> + Send;

    /// Deletes the row of a connection that is gone, if it still is the row inserted at `connected_at`.
    fn forget(
        &self,
        user: &UserId,
        connection: &ConnectionId,
        connected_at: Timestamp,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// A row of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxRow {
    /// Its place in the user's order.
    pub sequence: Sequence,
    /// What is held.
    pub notification: Arc<Notification>,
    /// The connections it was pushed to, or was about to be.
    pub pushed_to: BTreeSet<ConnectionId>,
}

/// Which rows of a mailbox are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageQuery {
    /// Only rows after this one.
    pub after: Option<Sequence>,
    /// Only rows up to and including this one.
    pub up_to: Sequence,
    /// Only rows that at least one of these connections is not in the `pushed_to` of. Never empty.
    pub due_for: Vec<ConnectionId>,
    /// At most this many rows; at least 1.
    pub limit: usize,
}

/// Some rows of a mailbox, in ascending order of sequence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The rows.
    pub rows: Vec<MailboxRow>,
    /// Whether there may be further rows that match; never with no rows at all.
    pub more: bool,
}

/// The users' mailboxes, as the dispatcher uses them.
pub trait Mailbox: Send + Sync {
    /// Reads rows, strongly consistently.
    fn page(&self, user: &UserId, query: PageQuery) -> impl Future<Output = Result<Page, PortError>> + Send;

    /// Writes rows, whether or not they are there. When it fails, some may have been written.
    fn put(&self, user: &UserId, rows: Vec<MailboxRow>)
    -> impl Future<Output = Result<(), PortError>> + Send;

    /// Deletes rows; those not there are no error. When it fails, some may have been deleted.
    fn delete(
        &self,
        user: &UserId,
        sequences: &[Sequence],
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Adds connections to the `pushed_to` of rows, of each row only if it is still there: a row the
    /// client acknowledged in the meantime must not come back.
    fn mark(
        &self,
        user: &UserId,
        marks: &[(Sequence, BTreeSet<ConnectionId>)],
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Why a frame was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The connection does not exist: 410 of API Gateway.
    #[error("the connection does not exist")]
    Gone,
    /// Throttled, timed out, unreachable: trying again later may succeed.
    #[error("the push is not possible at the moment")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// How far a push of several frames came.
#[derive(Debug)]
pub struct Pushed {
    /// How many frames, from the first on, were accepted.
    pub accepted: usize,
    /// Why the next one was not, if one was left.
    pub error: Option<PushError>,
}

/// The way to the clients.
pub trait Push: Send + Sync {
    /// Sends text frames to one connection, in order, until one is refused. A frame is accepted or not as
    /// a whole.
    fn push(
        &self,
        user: &UserId,
        connection: &ConnectionId,
        frames: Vec<Bytes>,
    ) -> impl Future<Output = Pushed> + Send;
}

/// The notifications queue, as the dispatcher uses it.
pub trait ReplayQueue: Send + Sync {
    /// Puts a replay entry behind all that is queued for its user.
    fn enqueue(&self, replay: Replay) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Some members of a hub.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MembersPage {
    /// The users, in ascending order, none twice.
    pub users: Vec<UserId>,
    /// Whether there may be members after the last of them; never with no users at all.
    pub more: bool,
}

/// The hubs' members, as the dispatcher uses them.
pub trait HubMembers: Send + Sync {
    /// Reads users who have joined a hub, in the order of their ids: those after `after`, at most `limit`,
    /// which is at least 1.
    fn page(
        &self,
        hub: &HubName,
        after: Option<&UserId>,
        limit: usize,
    ) -> impl Future<Output = Result<MembersPage, PortError>> + Send;
}

/// The notifications queue, as it takes the notifications of a hub's members.
pub trait Notifications: Send + Sync {
    /// Queues notifications of different users. One queued with its id before is not queued again. When it
    /// fails, some may have been queued.
    fn send(&self, notifications: Vec<Notification>) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// The notifications queue, as it takes broadcasts.
pub trait BroadcastQueue: Notifications {
    /// Queues what is left of a broadcast behind what is queued for its hub.
    fn go_on(&self, rest: FanOut) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// An entry that can never succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadLetter<'a> {
    /// Its message group.
    pub group: &'a str,
    /// Its body, as it was.
    pub body: &'a str,
    /// Names this entry; the same whenever it is buried again.
    pub message_id: &'a str,
    /// Why, for people.
    pub reason: &'a str,
}

/// The dead-letter queue.
pub trait DeadLetters: Send + Sync {
    /// Keeps what can never succeed, with the reason.
    fn bury(&self, letter: DeadLetter<'_>) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// The notifications queue, as it is told when failed entries are to come again.
pub trait Redelivery: Send + Sync {
    /// Has the entries with these receipts, all of one user, received again after `delay` and not before.
    fn postpone(
        &self,
        receipts: &[&str],
        delay: Duration,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// What the history is to have of each notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryPolicy {
    /// How long rows are kept.
    pub lifetime: Duration,
    /// Whether they have the payload.
    pub payloads: bool,
}

/// The history of what became of notifications. Delivery does not depend on it: whatever happens to it, no
/// notification is delivered otherwise.
pub trait History: Send + Sync {
    /// What is to be recorded; `None` when the history is off, and then nothing is even observed.
    fn policy(&self) -> Option<HistoryPolicy>;

    /// Records rows of one user, no two with the same key. It has no error for the caller to act on: what
    /// can't be recorded is counted as `tidings_history_failed_total`
    /// ([`count_history_failed`](crate::count_history_failed)) and logged, and is lost.
    fn record(&self, user: &UserId, rows: Vec<MessageRow>) -> impl Future<Output = ()> + Send;
}

/// No history.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHistory;

impl History for NoHistory {
    fn policy(&self) -> Option<HistoryPolicy> {
        None
    }

    async fn record(&self, _: &UserId, _: Vec<MessageRow>) {}
}

/// A history that may be off.
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
