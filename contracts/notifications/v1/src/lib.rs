//! Version 1 of the notifications queue's contract: the body of a producer's request
//! ([`NotificationRequest`]) and the entries that the queue carries ([`Notification`], [`Replay`] and
//! [`FanOut`], together a [`QueueEntry`]).
//!
//! The queue is FIFO. Each user has a message group, and each hub has one for its broadcasts. The queue
//! numbers a notification when it first accepts it; that [`Sequence`] is the order in which the user sees
//! notifications.
//!
//! Rules of every version 1 contract: times are integer milliseconds since the epoch, field names are
//! camelCase, readers ignore unknown fields and refuse an unknown `version`. A door at which requests come in may
//! refuse unknown fields ([`UnknownFields`]).

mod entry;
mod error;
mod fan_out;
mod home;
mod identifiers;
mod mistake;
mod notification;
mod parse;
mod payload;
mod sequence;
mod timestamp;
mod truncate;
mod user_id;
mod version;

pub use entry::{QueueEntry, Replay};
pub use error::{InvalidNotification, MAX_LABEL_BYTES};
pub use fan_out::FanOut;
pub use home::{MAX_QUEUES, home_queue};
pub use identifiers::{HubName, InvalidIdentifier, NotificationId};
pub use notification::{MIN_EXPIRY_MILLIS, Notification, NotificationRequest, WhenOffline};
pub use parse::UnknownFields;
pub use payload::{MAX_PAYLOAD_DEPTH, Payload, is_nested_deeper};
pub use sequence::{Epoch, InvalidSequence, Sequence};
pub use timestamp::Timestamp;
pub use user_id::{MAX_ENCODED_BYTES, UserId, written};
pub use version::{UnknownVersion, VERSION, Version1};
