//! Events that a listener reports to its application.

use std::fmt;
use std::time::Duration;

use contract_frames_v1::{Delivery, ErrorCode};
use contract_notifications_v1::Sequence;

use super::error::ClientError;
use super::network::NetworkFailure;

/// A notification that the application has not received before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedNotification {
    /// The notification.
    pub delivery: Delivery,
    /// True if a notification with a higher sequence came earlier. The gateway promises that this never
    /// happens.
    pub out_of_order: bool,
}

/// Reasons for the end of a connection.
#[derive(Debug, thiserror::Error)]
pub enum Disconnect {
    /// The gateway closed the connection.
    #[error("the gateway closed the connection{}", CloseText(*.code, .reason))]
    Closed {
        /// The WebSocket close code, if the gateway sent one.
        code: Option<u16>,
        /// The reason, if the gateway sent one.
        reason: String,
    },
    /// The gateway sent nothing for this long.
    #[error("the gateway was silent for {} s", .0.as_secs())]
    Silent(Duration),
    /// The network failed.
    #[error("the connection broke")]
    Broken(#[source] NetworkFailure),
    /// The handshake failed, or there was no credential for it.
    #[error(transparent)]
    Handshake(ClientError),
}

struct CloseText<'a>(Option<u16>, &'a str);

impl fmt::Display for CloseText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (None, _) => Ok(()),
            (Some(code), "") => write!(f, " ({code})"),
            (Some(code), reason) => write!(f, " ({code}: {reason})"),
        }
    }
}

/// An event of a [`Listener`](super::Listener).
#[derive(Debug)]
pub enum Event {
    /// The listener is connected.
    Connected,
    /// The connection ended, or an attempt to connect failed.
    Disconnected {
        /// The reason.
        why: Disconnect,
        /// Delay before the next attempt.
        retry_in: Duration,
    },
    /// A notification that the application has not received before.
    Notification(ReceivedNotification),
    /// A bare payload, on a connection with [`FrameFormat::Raw`](contract_connections_v1::FrameFormat::Raw).
    Raw(String),
    /// A notification that could not be read. It is acknowledged, so that it does not come again.
    Unreadable {
        /// Its sequence, if that could be read. Without it the notification is not acknowledged.
        sequence: Option<Sequence>,
        /// The parser's message, which has no part of the payload.
        error: String,
    },
    /// The gateway sent an error frame: it refused a frame of this client, or reports an error of its own.
    Refused {
        /// The error code, for programs.
        code: ErrorCode,
        /// The error message, for people.
        message: String,
        /// Identifies the request in the gateway's log.
        request_id: String,
    },
}
