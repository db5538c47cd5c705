//! What every adapter of a port must do, as suites to be run against each of them: embedded storage here,
//! DynamoDB and SQS there. Only for tests.
//!
//! Each suite uses users of its own, named after `prefix`, so that it can run against tables that others
//! use too. A suite reports by panicking. What a suite needs besides the port under test, because another
//! service does it, comes from a fixture ([`fixture`]). The suites of a service's ports are behind a
//! feature of its name.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a suite reports by panicking")]
#![allow(clippy::missing_panics_doc, reason = "a suite reports by panicking")]

#[cfg(feature = "ws-edge")]
pub mod acknowledgements;
mod clock;
#[cfg(feature = "dispatcher")]
pub mod connections;
mod disk;
#[cfg(feature = "ws-edge")]
pub mod edge_connections;
#[cfg(feature = "ws-edge")]
pub mod edge_history;
pub mod fixture;
#[cfg(feature = "dispatcher")]
pub mod history;
#[cfg(feature = "dispatcher")]
pub mod hub_members;
#[cfg(feature = "ws-edge")]
pub mod hubs;
#[cfg(feature = "auth-token")]
pub mod key_sets;
#[cfg(feature = "dispatcher")]
pub mod mailbox;
#[cfg(feature = "replayer")]
pub mod mailbox_keys;
mod nobody;
#[cfg(feature = "dispatcher")]
pub mod replay_queue;
#[cfg(feature = "replayer")]
pub mod replayer_queue;
#[cfg(feature = "auth-token")]
pub mod secrets;
mod story;
#[cfg(feature = "auth-token")]
pub mod tokens;

pub use clock::ManualClock;
pub use disk::SmallDisk;
pub use nobody::Nobody;
pub use story::{Repeat, Story};

use contract_connections_v1::{Connection, ConnectionId, FrameFormat};
use contract_notifications_v1::{
    Notification, NotificationId, Payload, Sequence, Timestamp, UserId, Version1, WhenOffline,
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

/// The row of a connection of `user` that opened at `connected_at`.
pub fn connection_row(user: &UserId, id: &str, connected_at: Timestamp) -> Connection {
    Connection {
        version: Version1,
        user_id: user.clone(),
        connection_id: connection(id),
        connected_at,
        acknowledges: true,
        format: FrameFormat::Batch,
        expires_at: Some(connected_at.plus(std::time::Duration::from_hours(1))),
        ttl: connected_at.plus(std::time::Duration::from_mins(130)).ttl_seconds(),
    }
}
