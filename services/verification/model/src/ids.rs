//! The model's numbers, and the identifiers that stand for them in the real cores.
//!
//! Notifications are numbered from 1 in the order of their acceptance, connections from 0 in the order of
//! their handshakes.

use contract_connections_v1::ConnectionId;
use contract_notifications_v1::Sequence;

/// Most devices of a scope.
pub(crate) const MAX_DEVICES: usize = 4;

/// A number for each connection, such as its new name or the time at which it connected.
pub(crate) type PerConnection = [u8; MAX_DEVICES];

/// The renaming that leaves every connection its own number.
pub(crate) const IDENTITY: PerConnection = [0, 1, 2, 3];

/// The identifier of connection `index`.
pub(crate) fn connection_id(index: u8) -> ConnectionId {
    ConnectionId::new(format!("c{}", index + 1))
}

/// The number of the connection with this identifier.
pub(crate) fn connection_index(id: &ConnectionId) -> u8 {
    id.as_str().trim_start_matches('c').parse().map_or(0, |number: u8| number.saturating_sub(1))
}

/// The sequence of notification `number`.
pub(crate) fn sequence(number: u8) -> Sequence {
    Sequence::new(u128::from(number))
}

/// The number of the notification with this sequence.
pub(crate) fn number(sequence: Sequence) -> u8 {
    u8::try_from(sequence.number()).unwrap_or(0)
}

/// The sequences of notifications.
pub(crate) fn sequences(notifications: impl Iterator<Item = u8>) -> Vec<Sequence> {
    notifications.map(sequence).collect()
}
