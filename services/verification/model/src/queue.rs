//! Entries of the notifications queue.

/// An entry of the user's message group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entry {
    /// The notification with this number.
    Notification(u8),
    /// A replay of everything held up to this notification.
    Replay(u8),
}

/// An entry that waits in the queue or is being dispatched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct QueuedEntry {
    /// The entry.
    pub entry: Entry,
    /// True if a dispatcher has received it before. Always false for replays, whose redelivery changes
    /// nothing.
    pub received: bool,
}
