//! Ports of the replayer: narrow traits that adapters implement, with DynamoDB and SQS on AWS, or with
//! embedded storage in one process.
//!
//! [`Ports`] names the adapters of one replayer, so that the replayer has one type parameter.

use std::future::Future;

use contract_notifications_v1::{Replay, Sequence, Timestamp, UserId};
use shared_ports::{Clock, PortError};
pub use shared_retry::ThreadRandom;
use uuid::Uuid;

/// The adapters of a [`Replayer`](crate::Replayer), one for each port.
///
/// A type that implements this trait stands for one way to put a replayer together; usually it is an empty
/// enum.
pub trait Ports {
    /// The keys of mailboxes.
    type Mailbox: MailboxKeys;
    /// The notifications queue.
    type Queue: ReplayQueue;
    /// The clock.
    type Clock: Clock;
    /// The source of random numbers.
    type Random: RandomSource;
}

/// A page of a mailbox's keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyPage {
    /// The keys in ascending order.
    pub sequences: Vec<Sequence>,
    /// True if there may be further keys. An empty page must not say so, because it gives no key to read
    /// after.
    pub more: bool,
}

/// The users' mailboxes, as the replayer reads them.
pub trait MailboxKeys: Send + Sync {
    /// Reads the first keys after `after`, approximately `limit` of them, without the notifications.
    ///
    /// The read is strongly consistent: a row whose insertion has returned is in the page. The dispatcher
    /// stores a row and then lists connections; with an older read, neither might see the other (rule R2).
    fn keys(
        &self,
        user: &UserId,
        after: Option<Sequence>,
        limit: usize,
    ) -> impl Future<Output = Result<KeyPage, PortError>> + Send;
}

/// An entry for the notifications queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayEntry {
    /// The user, who is the message group, and the last row to replay; [`Sequence::MAX`] for all rows.
    pub replay: Replay,
    /// The body: the queue entry as JSON.
    pub body: String,
    /// The deduplication ID. It is random, so that the queue does not take this entry for that of an earlier
    /// replay. It is the same when this replay sends the entry again, so that a lost answer does not cause a
    /// second entry.
    pub deduplication_id: Uuid,
}

/// The notifications queue, as the replayer fills it.
pub trait ReplayQueue: Send + Sync {
    /// Sends entries of one user in order in one request, and returns the indexes of those not accepted.
    ///
    /// After an error, some or none may have been accepted.
    fn send(&self, batch: &[ReplayEntry]) -> impl Future<Output = Result<Vec<usize>, PortError>> + Send;
}

/// A replay that a dispatcher has scheduled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueReplay {
    /// The user whose mailbox is to be replayed.
    pub user_id: UserId,
    /// Time at which it was scheduled last.
    pub scheduled_at: Timestamp,
}

/// A page of scheduled replays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DuePage {
    /// The replays, one for each user.
    pub due: Vec<DueReplay>,
    /// True if there may be further ones. An empty page must not say so.
    pub more: bool,
}

/// The replays that dispatchers have scheduled.
pub trait DueReplays: Send + Sync {
    /// Reads the first scheduled replays after `after`, in an order of the adapter's own, approximately `limit` of
    /// them.
    fn due(
        &self,
        after: Option<&DueReplay>,
        limit: usize,
    ) -> impl Future<Output = Result<DuePage, PortError>> + Send;

    /// Removes a scheduled replay, unless it has been scheduled again since it was read.
    fn remove(&self, due: &DueReplay) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Source of random numbers: jitter and deduplication IDs. A simulation supplies its own.
pub trait RandomSource: shared_retry::Jitter {
    /// Returns a random deduplication ID.
    fn deduplication_id(&self) -> Uuid;
}

/// Deduplication IDs are UUIDv4.
impl RandomSource for ThreadRandom {
    fn deduplication_id(&self) -> Uuid {
        Uuid::new_v4()
    }
}
