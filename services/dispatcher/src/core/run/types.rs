//! What a run takes in and gives out.

use std::collections::BTreeSet;
use std::time::Duration;

use contract_connections_v1::{ConnectionId, FrameFormat};
use contract_notifications_v1::{Sequence, Timestamp, WhenOffline};

/// The limits a run keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Most held rows pushed inline before a new notification (R1).
    pub inline_drain: usize,
    /// Most held rows pushed by one run that has a replay entry; a page if that is more.
    pub replay_drain: usize,
    /// Most rows read at once.
    pub page: usize,
    /// How long after a connection's handshake a 410 means "not yet open" (R3).
    pub grace: Duration,
    /// Most bytes of a frame of several notifications.
    pub batch_bytes: usize,
    /// How long a notification that is not to be held may wait behind held ones of a connected user.
    pub drop_hold: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            inline_drain: 25,
            replay_drain: 1_000,
            page: 100,
            grace: Duration::from_secs(5),
            batch_bytes: contract_frames_v1::MAX_BATCH_BYTES,
            drop_hold: Duration::from_secs(30),
        }
    }
}

/// A notification, as far as decisions need it; `body` is passed through.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Item<B> {
    /// Its place in the user's order.
    pub sequence: Sequence,
    /// From when on it must not be delivered any more.
    pub expires_at: Option<Timestamp>,
    /// What becomes of it without a connection.
    pub when_offline: WhenOffline,
    /// Bytes it takes in a frame.
    pub len: usize,
    /// The rest of it.
    pub body: B,
}

/// A held notification.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Held<B> {
    /// The notification.
    pub item: Item<B>,
    /// The connections it was pushed to, or is about to be.
    pub pushed_to: BTreeSet<ConnectionId>,
}

/// An entry of the run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Entry<B> {
    /// A new notification.
    Notification {
        /// The notification.
        item: Item<B>,
        /// Whether the queue delivered this entry before, so that a row of it may be in the mailbox.
        redelivered: bool,
    },
    /// Deliver the held rows up to and including this one.
    Replay(Sequence),
}

/// An open connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Live {
    /// Which connection.
    pub id: ConnectionId,
    /// When its handshake was accepted.
    pub connected_at: Timestamp,
    /// Whether its client acknowledges.
    pub acknowledges: bool,
    /// How it wants its notifications.
    pub format: FrameFormat,
}

/// What the machine wants done. Each command is answered by the event named with it, or by
/// [`Event::Failed`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command<B> {
    /// List the user's connections, strongly consistently: [`Event::Listed`].
    ListConnections,
    /// Read held rows, in order: [`Event::Page`].
    ReadPage {
        /// Only rows after this one.
        after: Option<Sequence>,
        /// Only rows up to and including this one.
        up_to: Sequence,
        /// Only rows not yet pushed to at least one of these.
        due_for: Vec<ConnectionId>,
        /// At most this many.
        limit: usize,
    },
    /// Write rows: [`Event::Done`].
    Put(Vec<Held<B>>),
    /// Delete rows: [`Event::Done`].
    Delete(Vec<Sequence>),
    /// Add connections to the `pushed_to` of rows that are still there: [`Event::Done`].
    Mark(Vec<(Sequence, BTreeSet<ConnectionId>)>),
    /// Delete the rows of connections that are gone, if they still are the same: [`Event::Done`].
    Forget(Vec<Live>),
    /// Push frames, to different connections at the same time: [`Event::Pushed`].
    Push(Vec<PushOrder<B>>),
    /// Wait before the next attempt, longer from attempt to attempt: [`Event::Waited`], or
    /// [`Event::OutOfTime`] when the invocation's budget doesn't allow it.
    Wait {
        /// Failed attempts so far without any progress, from 0.
        attempt: u32,
    },
    /// Put a replay entry for this row behind all that is queued for the user: [`Event::Done`].
    EnqueueReplay(Sequence),
    /// The run is over.
    Finish(Report),
}

/// Frames for one connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PushOrder<B> {
    /// Which connection.
    pub connection: ConnectionId,
    /// How it wants its notifications.
    pub format: FrameFormat,
    /// The frames, in order.
    pub frames: Vec<Frame<B>>,
}

/// The notifications of one frame, in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Frame<B> {
    /// At least one.
    pub items: Vec<FrameItem<B>>,
}

/// One notification in a frame.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FrameItem<B> {
    /// The notification.
    pub item: Item<B>,
    /// Whether it was held before.
    pub replayed: bool,
}

/// What became of a [`PushOrder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PushReport {
    /// How many frames, from the first on, were accepted.
    pub accepted: usize,
    /// Why the next one was not, if one was left.
    pub refusal: Option<Refusal>,
}

/// Why a frame was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No such connection (410).
    Gone,
    /// Trying again later may succeed.
    Unavailable,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event<B> {
    /// The user's connections.
    Listed(Vec<Live>),
    /// Held rows, in ascending order.
    Page {
        /// The rows.
        rows: Vec<Held<B>>,
        /// Whether there may be further ones.
        more: bool,
    },
    /// A write was made.
    Done,
    /// What became of each order of a push, in its order.
    Pushed(Vec<PushReport>),
    /// The wait is over.
    Waited,
    /// There is no time for the wait.
    OutOfTime,
    /// The command could not be carried out, or only in part.
    Failed,
}

/// What is to become of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Remove it from the queue.
    Done,
    /// Leave it in the queue, and all of the user's behind it: it is to be delivered again.
    Retry,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Report {
    /// An outcome for each entry, in the run's order; after the first `Retry` all are.
    pub outcomes: Vec<Outcome>,
    /// For the metrics.
    pub stats: Stats,
}

/// Counts of notifications, except where said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Stats {
    /// New ones that at least one connection accepted.
    pub delivered: usize,
    /// Held ones that at least one connection accepted.
    pub replayed: usize,
    /// New ones put into the mailbox because nobody was there.
    pub held: usize,
    /// New ones put behind held ones that are still waiting.
    pub deferred: usize,
    /// Let go because their time was over.
    pub expired: usize,
    /// Let go because nobody was there and they are not to be held.
    pub dropped: usize,
    /// Connections found gone.
    pub gone: usize,
}
