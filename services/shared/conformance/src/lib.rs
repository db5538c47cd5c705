//! What every adapter of a port must do, as suites to be run against each of them: embedded storage here,
//! DynamoDB and SQS there. Only for tests.
//!
//! Each suite uses users of its own, named after `prefix`, so that it can run against tables that others
//! use too. A suite reports by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a suite reports by panicking")]
#![allow(clippy::missing_panics_doc, reason = "a suite reports by panicking")]

mod clock;
mod disk;
pub mod mailbox;
pub mod replay_queue;

pub use clock::ManualClock;
pub use disk::SmallDisk;

use contract_connections_v1::ConnectionId;
use contract_notifications_v1::{
    Notification, NotificationId, Payload, Sequence, Timestamp, UserId, WhenOffline,
};

/// A notification for `user` to be held, with `n` as id and payload.
pub fn notification(user: &UserId, n: u64) -> Notification {
    Notification {
        id: NotificationId::new(format!("id-{n}")).unwrap(),
        user_id: user.clone(),
        payload: Payload::from_value(&n).unwrap(),
        sent_at: Timestamp::from_millis(n),
        expires_at: None,
        when_offline: WhenOffline::Hold,
        kind: None,
        source: None,
    }
}

/// A user id.
pub fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

/// A connection id.
pub fn connection(name: &str) -> ConnectionId {
    ConnectionId::new(name)
}

/// Numbers as sequences.
pub fn sequences(numbers: impl IntoIterator<Item = u64>) -> Vec<Sequence> {
    numbers.into_iter().map(|n| Sequence::new(n.into())).collect()
}
