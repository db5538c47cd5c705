//! The promises that are checked, and how one is broken.

use std::fmt;

/// A promise of delivery. The letters are those of docs/explanation/delivery.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// (a), (d) Everything arrives.
    NothingLost,
    /// (b) First deliveries are in order, for the user and over each connection.
    InOrder,
    /// (c) A fault explains each repeat.
    NoNeedlessRepeat,
    /// (d) After the acks nothing is held, and nothing queued.
    EverythingEmpties,
    /// (e) A user waits at most two seconds for the others of a batch.
    NobodyDelayed,
    /// One run of a user at a time.
    OneRunAtATime,
    /// A producer's retry is accepted once.
    AcceptedOnce,
    /// Every invocation ends by itself, unless it crashes.
    InvocationsEnd,
    /// A replay sends at most ten entries and reads at most nine pages.
    BoundedReplay,
    /// Entries that can't be delivered leave the queue.
    LeavesTheQueue,
    /// (a) What has expired is not pushed any more.
    NeverAfterExpiry,
    /// (a) Nothing ends as expired before its expiry.
    NotBeforeExpiry,
    /// What is to be dropped waits for nobody, and nothing else is dropped.
    DropsTheRight,
    /// A message to the hub reaches the members, in order, and nobody else.
    ReachesMembers,
    /// Who has left the hub is no member any more.
    LeavesTheHub,
    /// Members see who comes, and nobody is reported gone who is there.
    TruePresence,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The promise.
    pub promise: Promise,
    /// The user to whom it was broken.
    pub user: Option<usize>,
    /// Time at which it was broken, in virtual milliseconds.
    pub at: u64,
    /// The way in which it was broken, for people.
    pub details: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { promise, user, at, details } = self;
        let user = user.map_or_else(|| "everybody".to_owned(), |user| format!("u{user}"));
        write!(f, "{promise:?} is broken for {user} at {}.{:03} s: {details}", at / 1_000, at % 1_000)
    }
}
