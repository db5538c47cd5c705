//! Ids, notifications and rows for tests.

use contract_connections_v1::{Connection, ConnectionId, FrameFormat};
use contract_notifications_v1::{
    Notification, NotificationId, Payload, Sequence, Timestamp, UserId, Version1, WhenOffline,
};

/// Makes a notification for `user` that is held, with `n` as its id and payload.
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

/// Makes a user id.
pub fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

/// Makes a connection id.
pub fn connection(name: &str) -> ConnectionId {
    ConnectionId::new(name)
}

/// Turns numbers into sequences.
pub fn sequences(numbers: impl IntoIterator<Item = u64>) -> Vec<Sequence> {
    numbers.into_iter().map(|n| Sequence::new(n.into())).collect()
}

/// Makes the row of a connection of `user` that opened at `connected_at`.
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
