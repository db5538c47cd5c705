//! What goes from the producer API to the store, and what comes back.

use contract_notifications_v1::{Notification, Sequence};

/// A notification to be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The notification.
    pub notification: Notification,
    /// Whether its id is the producer's own, so that it may have been accepted before.
    pub deduplicate: bool,
}

/// A notification that is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Its place in the user's order.
    pub sequence: Sequence,
    /// Whether it had been accepted before.
    pub duplicate: bool,
}

/// Why nothing can be accepted at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// Too little space is left on the disk.
    #[error("the disk is full")]
    DiskFull,
    /// The engine can't write at the moment; it is being reopened.
    #[error("the store can't write at the moment")]
    Unavailable,
    /// The store is being closed.
    #[error("the store is being closed")]
    ShuttingDown,
}
