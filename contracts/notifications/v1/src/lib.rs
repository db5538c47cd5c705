//! Version 1 of the notifications queue's contract: what a producer sends ([`NotificationRequest`]),
//! and the kinds of entry the queue carries ([`Notification`], [`Replay`] and [`FanOut`], as a
//! [`QueueEntry`]).
//!
//! The queue is FIFO with one message group per user, and one per hub for what is still to be fanned out; the [`Sequence`] the queue gives a notification
//! when it first accepts it is the order in which that user sees notifications.
//!
//! Rules of every version 1 contract: time is integer milliseconds since the epoch, unknown fields are
//! ignored, an unknown `version` is refused, field names are camelCase.

mod entry;
mod error;
mod fan_out;
mod identifiers;
mod payload;
mod timestamp;
mod version;

pub use entry::{Notification, NotificationRequest, QueueEntry, Replay, WhenOffline};
pub use error::{InvalidIdentifier, InvalidNotification, InvalidSequence, UnknownVersion};
pub use fan_out::FanOut;
pub use identifiers::{HubName, NotificationId, Sequence, UserId};
pub use payload::Payload;
pub use timestamp::Timestamp;
pub use version::Version1;

/// The version this crate describes, as it stands in the `version` field.
pub const VERSION: u32 = 1;

/// Longest `kind` and `source` of a notification, in bytes.
pub const MAX_LABEL_BYTES: usize = 256;
