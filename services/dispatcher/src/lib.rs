//! The dispatcher takes entries of the notifications queue and pushes them to the user's open connections, or
//! holds them in the user's mailbox, in the user's order.
//!
//! - [`core`] makes the decisions, without IO.
//! - [`ports`] declares the traits through which the dispatcher reaches queue, tables and clients.
//! - [`Dispatcher`] carries out the decisions for one user's run.
//! - [`BatchDispatcher`] does so for batches with entries of several users, as SQS delivers them.
//! - [`fan_out`](fan_out()) turns a broadcast into a notification for each member of a hub.
//! - [`Observer`] derives the history from the course of a run. It has no part in delivery.

mod batch;
mod budget;
pub mod core;
mod fan_out;
mod history;
pub mod ports;
mod raw;
mod service;
mod telemetry;

pub use batch::{BatchDispatcher, BatchSettings, Deadlines, QueueMessage};
pub use budget::Patience;
pub use fan_out::{DEFAULT_MEMBERS, fan_out};
pub use history::{DeliveryEvent, Observer};
pub use service::{Dispatcher, Settings};
pub use telemetry::{count_history_failed, describe_metrics};

#[cfg(test)]
mod properties;
