//! One notification of a user's queue, in memory.

use std::sync::Arc;

use contract_notifications_v1::Notification;
use dispatcher::core::ConnectionSet;

use super::codec::Seq;
use super::pending_records::RecordLocation;

/// Bytes of memory that a queued notification takes in addition to its bytes on disk.
const QUEUED_BYTES: usize = 256;

/// A queued notification.
pub(super) struct Queued {
    pub(super) seq: Seq,
    pub(super) notification: Arc<Notification>,
    /// Bytes of memory that it takes.
    pub(super) bytes: usize,
    pub(super) receives: u32,
    /// Its pending record, if it has one.
    pub(super) pending: Option<RecordLocation>,
    /// True if it may have a row, although it is in a pending record.
    pub(super) perhaps_row: bool,
    /// True if it is in the mailbox, too.
    pub(super) held: bool,
    /// The connections to which it was pushed, if it is in the mailbox.
    pub(super) pushed_to: ConnectionSet,
    /// True if the client has acknowledged it.
    pub(super) acknowledged: bool,
}

impl Queued {
    /// Creates a notification that was not received yet.
    pub(super) fn new(seq: Seq, notification: Arc<Notification>, bytes: usize) -> Self {
        Self {
            seq,
            notification,
            bytes,
            receives: 0,
            pending: None,
            perhaps_row: false,
            held: false,
            pushed_to: ConnectionSet::new(),
            acknowledged: false,
        }
    }
}

/// Bytes of memory that a notification takes in the queue.
pub(super) const fn queued_bytes(value: &[u8]) -> usize {
    value.len() + QUEUED_BYTES
}
