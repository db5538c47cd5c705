//! What the replayer needs of the world. Adapters give it: DynamoDB and SQS on AWS, embedded storage in one
//! process.

use std::future::Future;

use contract_notifications_v1::{Replay, Sequence, UserId};
use shared_ports::{Clock, PortError};
pub use shared_retry::ThreadRandom;
use uuid::Uuid;

/// The ports of a replayer: names the adapter for each.
///
/// An implementing type stands for one way to put the replayer together and usually has no values.
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

/// Some keys of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyPage {
    /// The keys, ascending.
    pub sequences: Vec<Sequence>,
    /// Whether there may be further ones. A page without keys must not say so: nothing could be asked for
    /// after it.
    pub more: bool,
}

/// The users' mailboxes, as the replayer reads them.
pub trait MailboxKeys: Send + Sync {
    /// The first keys after `after`, about `limit` of them.
    ///
    /// Strongly consistent: a row whose insertion has returned is in the page. The dispatcher stores a row
    /// and then looks for connections; were this read older, neither might see the other (rule R2). Only
    /// keys are read, not what is held.
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
    /// What it says; its user is the message group.
    pub replay: Replay,
    /// The body, a queue entry as JSON.
    pub body: String,
    /// The deduplication ID: random, so that no earlier replay of the same row suppresses this one, and
    /// the same whenever this replay sends the entry again, so that an answer lost on the way makes no
    /// second entry.
    pub deduplication_id: Uuid,
}

/// The notifications queue, as the replayer fills it.
pub trait ReplayQueue: Send + Sync {
    /// Sends entries of one user, in order, in one request, and returns the positions of those that were
    /// not accepted. An error means that possibly none was.
    fn send(&self, batch: &[ReplayEntry]) -> impl Future<Output = Result<Vec<usize>, PortError>> + Send;
}

/// Source of random numbers, so that a simulation can decide it.
pub trait RandomSource: shared_retry::Jitter {
    /// A random deduplication ID.
    fn deduplication_id(&self) -> Uuid;
}

/// UUIDv4.
impl RandomSource for ThreadRandom {
    fn deduplication_id(&self) -> Uuid {
        Uuid::new_v4()
    }
}
