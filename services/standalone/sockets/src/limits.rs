//! The limits of a connection.

use std::time::Duration;

/// The event from which on a client that does not acknowledge has a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Confirm {
    /// The client's pong to a ping behind the notification. If the connection dies first, the notification is delivered
    /// again on the user's next connection.
    #[default]
    Pong,
    /// The write to the socket. What the client has not read when the connection dies is lost.
    Written,
}

/// The limits of every connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The event from which on a client that does not acknowledge has a notification.
    pub confirm: Confirm,
    /// Maximum number of bytes that wait for one socket, or for the client's receipt. A push beyond it waits.
    pub buffer_bytes: usize,
    /// Time in which a socket must write the waiting bytes. After that it is closed.
    pub write_timeout: Duration,
    /// Time of silence after which a client is pinged, and time for its answer. A client that does not answer is gone.
    /// `None`: no pings for the sake of silence; those for receipts must be answered within [`RECEIPT_TIMEOUT`].
    pub keepalive: Option<Duration>,
    /// Maximum time without a message in either direction. `None`: no limit.
    pub idle_timeout: Option<Duration>,
    /// Maximum age of a connection. `None`: no limit.
    pub max_age: Option<Duration>,
    /// True if a connection is closed when its credential expires.
    pub close_when_expired: bool,
    /// Maximum time from the insertion of a row to its socket, which is the time to answer the handshake.
    pub handshake_timeout: Duration,
    /// Time in which a client must answer a close frame.
    pub close_timeout: Duration,
    /// Maximum size of a client's message. A larger one closes the connection with 1009.
    pub max_message_bytes: usize,
    /// Maximum size of a frame, in both directions.
    pub max_frame_bytes: usize,
}

/// Time after which a connection without progress, for which pushes wait, is dropped if its user has another one: a
/// notification goes to all of a user's connections before the next one, so a stalled one would hold up the others.
pub(super) const BLOCKING_TIMEOUT: Duration = Duration::from_secs(5);

/// Time in which a client must answer a ping for a receipt if there is no keepalive.
pub const RECEIPT_TIMEOUT: Duration = Duration::from_secs(30);

impl Default for Limits {
    fn default() -> Self {
        Self {
            confirm: Confirm::default(),
            buffer_bytes: 1024 * 1024,
            write_timeout: Duration::from_secs(15),
            keepalive: Some(Duration::from_secs(30)),
            idle_timeout: None,
            max_age: None,
            close_when_expired: false,
            handshake_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(5),
            max_message_bytes: 128 * 1024,
            max_frame_bytes: 128 * 1024,
        }
    }
}

impl Limits {
    /// Replaces limits by those of API Gateway
    /// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>).
    #[must_use]
    pub fn like_aws(self) -> Self {
        Self {
            idle_timeout: Some(Duration::from_mins(10)),
            max_age: Some(Duration::from_hours(2)),
            max_message_bytes: 128 * 1024,
            max_frame_bytes: 32 * 1024,
            ..self
        }
    }
}
