//! Requeues the held notifications of a user who came back.
//!
//! The insert of a connection's row wakes the replayer. For every key in the user's mailbox it puts a
//! [`Replay`](contract_notifications_v1::Replay) entry on the notifications queue, so that what is held is
//! delivered by the same dispatcher, in the same order, as what is new. It does not read what is held.
//!
//! What is done and when is decided by [`Machine`], without IO, clock or randomness; [`Replayer`] carries it
//! out over the ports. A replay may be repeated at any time: a `Replay` entry whose row is gone does
//! nothing.

mod core;
pub mod ports;
mod service;
mod telemetry;

pub use core::limits::{Limits, batch_len};
pub use core::machine::{Cause, Command, Event, Machine, Unfinished};
pub use service::{ReplayError, Replayer, ReplayerConfig, Requeued};
pub use telemetry::describe_metrics;
