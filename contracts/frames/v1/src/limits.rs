//! Size limits of frames.

use contract_notifications_v1::Notification;

use crate::encode::item_len;

/// Largest message to a client, in bytes, envelope included: API Gateway's message limit
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>).
pub const MAX_MESSAGE_BYTES: usize = 128 * 1024;

/// Largest frame of several notifications, in bytes: API Gateway bills each started 32 KiB of a message
/// (<https://aws.amazon.com/api-gateway/pricing/>).
pub const MAX_BATCH_BYTES: usize = 32 * 1024;

/// The notification is too large for a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the notification takes {bytes} bytes with its envelope; allowed are at most {MAX_MESSAGE_BYTES}")]
pub struct FrameTooLarge {
    /// Size of its message, envelope included.
    pub bytes: usize,
}

/// Checks that a notification fits in one message. Gateways call it before they accept a notification.
///
/// # Errors
/// [`FrameTooLarge`] if it is larger than [`MAX_MESSAGE_BYTES`].
pub fn require_fits(notification: &Notification) -> Result<(), FrameTooLarge> {
    let bytes = item_len(notification);
    if bytes <= MAX_MESSAGE_BYTES { Ok(()) } else { Err(FrameTooLarge { bytes }) }
}
