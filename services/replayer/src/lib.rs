//! The replayer requeues the held notifications of a user who has reconnected.
//!
//! A new row in the Connections table starts a replay. For every key in the user's mailbox, the replayer puts
//! a [`Replay`](contract_notifications_v1::Replay) entry on the notifications queue. So held and new
//! notifications are delivered by the same dispatcher in one order. The replayer reads only keys, not the
//! notifications.
//!
//! [`Machine`] decides what to do, without IO, clock or randomness. [`Replayer`] carries out its commands
//! over the [`ports`]. A replay may be repeated at any time: a `Replay` entry does nothing if its row is
//! gone.

mod core;
pub mod ports;
mod service;
mod telemetry;

pub use core::limits::{Limits, batch_len};
pub use core::machine::{Cause, Command, Event, Machine, Unfinished};
pub use service::{ReplayError, Replayer, ReplayerConfig, Requeued};
pub use telemetry::describe_metrics;
