//! The dispatcher: takes the entries of the notifications queue, pushes them to the user's open
//! connections, or holds them in the user's mailbox, in the user's order.
//!
//! [`core`] decides, [`ports`] is what it needs of the world, [`Dispatcher`] drives the one with the other.
//! A [`BatchDispatcher`] does so for batches of several users' entries, as SQS delivers them. What is for all
//! members of a hub becomes a notification for each of them ([`fan_out`]).

mod batch;
pub mod core;
mod fan_out;
mod history;
pub mod ports;
mod service;
mod telemetry;

pub use batch::{BatchDispatcher, Deadlines, Delivery};
pub use fan_out::{DEFAULT_MEMBERS, fan_out};
pub use history::{Happened, Observer};
pub use service::{Dispatcher, Settings};
pub use telemetry::{count_history_failed, describe_metrics};
