//! The promises that are checked.

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
}
