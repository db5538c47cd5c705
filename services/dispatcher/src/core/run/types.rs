//! Input and output of a run.

use std::time::Duration;

use contract_connections_v1::{ConnectionId, FrameFormat};
use contract_notifications_v1::{Sequence, Timestamp, WhenOffline};

use crate::core::ConnectionSet;

/// The limits of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Maximum number of held rows pushed inline before a new notification (R1).
    pub inline_drain: usize,
    /// Maximum number of held rows pushed by one run that has a replay entry; at least a page.
    pub replay_drain: usize,
    /// Maximum number of rows read at once.
    pub page: usize,
    /// Time after a connection's handshake during which a 410 means "not yet open" (R3); zero where a push before
    /// the connection opens waits, so that a 410 always means "gone".
    pub grace: Duration,
    /// Maximum size in bytes of a frame with several notifications.
    pub batch_bytes: usize,
    /// Maximum time for which a notification with `when_offline: drop` may wait behind the held ones of a
    /// connected user.
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

/// A notification, reduced to what decisions need. The run passes `body` through.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Item<B> {
    /// Position in the user's order.
    pub sequence: Sequence,
    /// Time from which on it must not be delivered.
    pub expires_at: Option<Timestamp>,
    /// Treatment while the user has no connection.
    pub when_offline: WhenOffline,
    /// Size in a frame, in bytes.
    pub len: usize,
    /// The rest of the notification.
    pub body: B,
}

/// A held notification: a row of the mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HeldItem<B> {
    /// The notification.
    pub item: Item<B>,
    /// The connections it was pushed to, or is about to be pushed to.
    pub pushed_to: ConnectionSet,
}

/// An entry of the run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Entry<B> {
    /// A new notification.
    Notification {
        /// The notification.
        item: Item<B>,
        /// True if the queue has delivered this entry before; the mailbox may then contain a row of it.
        redelivered: bool,
    },
    /// A request to deliver the held rows up to and including this one.
    Replay(Sequence),
}

/// Which notifications a run puts into the mailbox instead of trying to push them again. While they stay in the queue,
/// they hold up the user's later entries, and take the place of others' among those that the queue looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SetAside {
    /// None: what can't be pushed is redelivered.
    #[default]
    Never,
    /// Those that wait behind held ones, if none of these could be pushed and the connections are open.
    Blocked,
    /// All: they have failed several times.
    All,
}

/// An open connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OpenConnection {
    /// The connection's id.
    pub id: ConnectionId,
    /// Time at which the handshake was accepted.
    pub connected_at: Timestamp,
    /// True if the client acknowledges notifications.
    pub acknowledges: bool,
    /// Format of its frames.
    pub format: FrameFormat,
}

/// An action for the caller. The event that answers it is named with each command; [`Event::Failed`] answers
/// any.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command<B> {
    /// List the user's connections, strongly consistently: [`Event::Listed`].
    ListConnections,
    /// Read held rows in order: [`Event::Page`]; or [`Event::OutOfTime`], for a page after the first, if the
    /// run's budget is used up.
    ReadPage {
        /// Only rows after this one.
        after: Option<Sequence>,
        /// Only rows up to and including this one.
        up_to: Sequence,
        /// Only rows not yet pushed to at least one of these connections.
        due_for: Vec<ConnectionId>,
        /// Maximum number of rows.
        limit: usize,
    },
    /// Write rows: [`Event::Done`].
    Put(Vec<HeldItem<B>>),
    /// Delete rows: [`Event::Done`].
    Delete(Vec<Sequence>),
    /// Add connections to the `pushed_to` of rows that still exist: [`Event::Done`].
    Mark(Vec<(Sequence, ConnectionSet)>),
    /// Delete the table rows of closed connections, if they still are the same connections: [`Event::Done`].
    Forget(Vec<OpenConnection>),
    /// Push frames to several connections, concurrently: [`Event::Pushed`].
    Push(Vec<PushRequest<B>>),
    /// Wait before the next attempt, with exponential backoff: [`Event::Waited`], or [`Event::OutOfTime`] if
    /// the invocation's budget doesn't allow the wait.
    Wait {
        /// Number of failed attempts without progress, from 0.
        attempt: u32,
    },
    /// Queue a replay entry for this row, behind all other entries of the user: [`Event::Done`].
    EnqueueReplay(Sequence),
    /// Have a replay entry for the whole mailbox queued later, behind all other entries of the user:
    /// [`Event::Done`].
    ScheduleReplay,
    /// Stop: the run is over, and nothing answers this command.
    Finish(Report),
}

/// Frames to push to one connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PushRequest<B> {
    /// The connection.
    pub connection: ConnectionId,
    /// Format of the frames.
    pub format: FrameFormat,
    /// The frames, in order.
    pub frames: Vec<Frame<B>>,
}

/// The notifications of one frame, in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Frame<B> {
    /// The notifications, at least one.
    pub items: Vec<FrameItem<B>>,
}

/// One notification in a frame.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FrameItem<B> {
    /// The notification.
    pub item: Item<B>,
    /// True if the notification comes from the mailbox.
    pub replayed: bool,
}

/// Result of a [`PushRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PushReport {
    /// Number of frames accepted, counted from the first.
    pub accepted: usize,
    /// Reason for refusing the next frame, unless all were accepted.
    pub refusal: Option<Refusal>,
}

/// Reasons for refusing a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The connection does not exist (410).
    Gone,
    /// A later attempt may succeed.
    Unavailable,
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event<B> {
    /// The user's connections.
    Listed(Vec<OpenConnection>),
    /// A page of held rows, in ascending order.
    Page {
        /// The rows.
        rows: Vec<HeldItem<B>>,
        /// True if further rows may match.
        more: bool,
    },
    /// A write succeeded.
    Done,
    /// The result of each push request, in the order of the requests.
    Pushed(Vec<PushReport>),
    /// The wait is over.
    Waited,
    /// The budget leaves no time for the wait, or for another page.
    OutOfTime,
    /// The command failed. Some of it may have been carried out.
    Failed,
}

/// The decision about an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Remove the entry from the queue.
    Done,
    /// Leave the entry in the queue, with all later entries of the user, for redelivery.
    Retry,
}

/// Result of a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Report {
    /// One outcome for each entry, in the run's order. After the first `Retry`, all are `Retry`.
    pub outcomes: Vec<Outcome>,
    /// Counts for the metrics.
    pub stats: Stats,
}

/// Counts of notifications, and of closed connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Stats {
    /// New notifications that at least one connection accepted.
    pub delivered: usize,
    /// Held notifications that at least one connection accepted.
    pub replayed: usize,
    /// New notifications put into the mailbox because no connection took them.
    pub held: usize,
    /// New notifications put into the mailbox behind held ones that are still waiting, or after several failed
    /// attempts to push them.
    pub deferred: usize,
    /// Notifications discarded because they had expired.
    pub expired: usize,
    /// Notifications with `when_offline: drop`, discarded because no connection took them.
    pub dropped: usize,
    /// Connections found closed.
    pub gone: usize,
}
