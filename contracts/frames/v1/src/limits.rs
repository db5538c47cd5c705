//! How large a frame may be.

use contract_notifications_v1::Notification;

use crate::item_len;

/// Largest message to a client, envelope included: API Gateway's message limit
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>).
pub const MAX_MESSAGE_BYTES: usize = 128 * 1024;

/// Largest frame of several notifications: API Gateway bills messages by started 32 KiB
/// (<https://aws.amazon.com/api-gateway/pricing/>).
pub const MAX_BATCH_BYTES: usize = 32 * 1024;

/// A notification that no frame can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the notification would be a message of {bytes} bytes with its envelope; allowed are \
     {MAX_MESSAGE_BYTES}"
)]
pub struct FrameTooLarge {
    /// Size of the message it would be.
    pub bytes: usize,
}

/// Checks at the door that a notification fits the message it will be delivered in.
///
/// # Errors
/// [`FrameTooLarge`] with the size it would have.
pub fn require_fits(notification: &Notification) -> Result<(), FrameTooLarge> {
    let bytes = item_len(notification);
    if bytes <= MAX_MESSAGE_BYTES { Ok(()) } else { Err(FrameTooLarge { bytes }) }
}
