//! Parts of a load generator for servers that push notifications.
//!
//! Producers are threads with blocking sockets and precise timers ([`producer`]). All receiving sockets share
//! one thread, which reads frames without parsing JSON ([`sockets`]). Each notification carries its intended
//! send time, so a slow server can't slow the clock it is measured by (no coordinated omission), and its
//! number, so that losses, duplicates and changes of order are seen ([`tally`]).
//!
//! A server needs a [`Sink`] to send with and a [`Protocol`] to receive with. Those of Tidings are here
//! ([`http_producer`], [`frames`], [`tokens`]); those of other servers are in `bench-peers`.
//!
//! This crate depends on contracts alone, never on the server.

#![allow(clippy::cast_precision_loss, reason = "measurements are never near 2^52")]

pub mod clock;
pub mod frames;
pub mod http;
pub mod http_producer;
pub mod latency;
pub mod notification;
pub mod producer;
pub mod protocol;
pub mod socket;
pub mod sockets;
pub mod tally;
pub mod target;
mod thousands;
pub mod tokens;

pub use http_producer::{HttpProducer, Requests};
pub use latency::{Latency, histogram};
pub use notification::{FoundNotification, RunId, Scanner, Template};
pub use producer::{SendReport, Sink, Window, Workload};
pub use protocol::{ArrivalCounter, Opcode, Protocol};
pub use socket::{Handshake, Socket};
pub use sockets::{Receiver, Sockets};
pub use tally::{ReceivedNumbers, Tally};
pub use target::Target;
pub use thousands::thousands;
