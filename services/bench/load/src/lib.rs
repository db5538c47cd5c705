//! The parts of a load generator for servers that push.
//!
//! Producers are threads with blocking sockets and precise timers; all receiving sockets share one thread,
//! which reads frames without parsing JSON. Each notification carries the time it was meant to be sent at, so
//! that a slow server can't slow the clock it is measured by (no coordinated omission), and its number, so
//! that losses, duplicates and changes of order are seen.
//!
//! What differs from server to server is a [`Sink`] to send by and a [`Protocol`] to receive by; those of
//! Tidings are here ([`posts`], [`frames`], [`tokens`]).

#![allow(clippy::cast_precision_loss, reason = "measurements are never near 2^52")]

pub mod frames;
pub mod http;
pub mod latency;
pub mod message;
pub mod posts;
pub mod producer;
pub mod protocol;
pub mod socket;
pub mod sockets;
pub mod tally;
mod thousands;
pub mod tokens;

pub use latency::Latency;
pub use message::{Found, Run, Scanner, Template};
pub use producer::{Pace, Sent, Sink, Window};
pub use protocol::{Arrivals, Opcode, Protocol};
pub use socket::{Handshake, Socket};
pub use sockets::{Door, Sockets};
pub use tally::{Seen, Tally};
pub use thousands::thousands;

/// The server of Tidings that is measured.
#[derive(Clone)]
pub struct Target {
    /// Its address, `http://…`.
    pub url: String,
    /// Its API key.
    pub api_key: String,
    /// Its process, when it runs on this machine.
    pub pid: Option<u32>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("url", &self.url).field("pid", &self.pid).finish_non_exhaustive()
    }
}
