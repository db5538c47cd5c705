//! The replayer requeues the held notifications of a user who has reconnected.
//!
//! A new row in the Connections table starts a replay. The replayer reads the keys of the user's mailbox, not
//! the notifications, and puts [`Replay`](contract_notifications_v1::Replay) entries on the notifications
//! queue. So held and new notifications are delivered by the same dispatcher in one order.
//!
//! A replay is bounded: at most nine pages are read and one batch of ten entries is sent, however much is held.
//! The first nine entries stand for a page each, the tenth for everything after. The dispatcher delivers a page
//! of it and queues an entry for the rest, so that a large mailbox is replayed page by page.
//!
//! The other reason for a replay is a row that a dispatcher has scheduled: [`Replayer::sweep`] looks for such rows
//! every minute.
//!
//! [`Machine`] decides what to do, without IO, clock or randomness. [`Replayer`] carries out its commands
//! over the [`ports`]. A replay may be repeated at any time: a `Replay` entry does nothing if its rows are
//! gone.

mod core;
pub mod ports;
mod service;
mod sweep;
mod telemetry;

pub use core::limits::{Limits, batch_len};
pub use core::machine::{Cause, Command, Event, Machine, Unfinished};
pub use service::{ReplayError, Replayer, ReplayerConfig, Requeued};
pub use telemetry::describe_metrics;
