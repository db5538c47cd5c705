//! What a connection may take up.

use std::time::Duration;

/// The limits of every connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that may wait for one socket; a push that finds no room waits.
    pub buffer_bytes: usize,
    /// How long a socket may take to write what waits for it before it is closed.
    pub write_timeout: Duration,
    /// How often a silent client is pinged; one that is silent for two of these is gone. `None`: never.
    pub keepalive: Option<Duration>,
    /// How long a connection may go without a message in either direction. `None`: for ever.
    pub idle_timeout: Option<Duration>,
    /// How long a connection may last. `None`: for ever.
    pub max_age: Option<Duration>,
    /// Whether a connection is closed when its credential ends.
    pub close_when_expired: bool,
    /// Between a row's insertion and its socket: how long the handshake may take to be answered.
    pub handshake_timeout: Duration,
    /// How long a client may take to answer a close frame.
    pub close_timeout: Duration,
    /// Largest message a client may send; a larger one closes the connection with 1009.
    pub max_message_bytes: usize,
    /// Largest frame, in both directions.
    pub max_frame_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
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
    /// With API Gateway's limits in place of these
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
