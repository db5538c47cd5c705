//! The ids of notifications that clients send.

use contract_notifications_v1::{NotificationId, Sequence, UserId};
use uuid::Uuid;

/// Returns a new random id.
pub(super) fn random() -> NotificationId {
    legal(Uuid::new_v4())
}

/// Returns the id for a sender's idempotency key: equal for equal keys of one sender, and different from the
/// ids of all other clients and producers.
///
/// It is a name-based UUID (RFC 9562, section 5.5) in a namespace of the sender.
pub(super) fn for_key(sender: &UserId, key: &NotificationId) -> NotificationId {
    let namespace = Uuid::new_v5(&Uuid::NAMESPACE_OID, sender.as_str().as_bytes());
    legal(Uuid::new_v5(&namespace, key.as_str().as_bytes()))
}

fn legal(uuid: Uuid) -> NotificationId {
    // A UUID is always a legal id.
    NotificationId::new(uuid.to_string()).unwrap_or_else(|_| Sequence::ZERO.into())
}
