//! Answers the routes of the WebSocket API: `$connect`, `$disconnect`, and the frames of clients. It owns
//! the Connections table.
//!
//! The authorizer has decided who a client is before the edge sees it; the edge decides how the connection
//! wants its notifications and answers what the client sends. An action is a variant of
//! [`ClientFrame`](contract_frames_v1::ClientFrame) and a [`Decision`] about it.

mod core;
pub mod ports;
mod service;
mod telemetry;

pub use core::admission::{Admission, ConnectRefusal, ConnectRequest, admit};
pub use core::frame::{Decision, Inbound, decide};
pub use service::{ConnectError, Edge, MessageRequest};
pub use telemetry::describe_metrics;

use std::time::Duration;

/// The edge's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EdgeConfig {
    /// How long after the handshake a connection's row is swept out, should nothing have deleted it.
    pub row_lifetime: Duration,
    /// Largest frame a client may send, in bytes.
    pub max_message_bytes: usize,
}

impl Default for EdgeConfig {
    /// Ten minutes over the 2 hours, and the 128 KiB, that API Gateway allows
    /// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>).
    fn default() -> Self {
        Self { row_lifetime: Duration::from_mins(130), max_message_bytes: 128 * 1024 }
    }
}
