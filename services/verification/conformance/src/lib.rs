//! Conformance suites: one for each port, run against every adapter of the port, embedded or on AWS. Only for
//! tests.
//!
//! Each suite uses users of its own, named after `prefix`, so that it can run against tables that others use
//! too. A suite reports by panicking. The work of other services comes from a fixture ([`fixture`]). The
//! suites of a service's ports are behind a feature with the service's name.
//!
//! Helpers for other tests are here too: a clock, a small disk, an unused port, and the log of an end-to-end
//! test.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a suite reports by panicking")]
#![allow(clippy::missing_panics_doc, reason = "a suite reports by panicking")]

#[cfg(feature = "ws-edge")]
pub mod acknowledgements;
mod clock;
#[cfg(feature = "dispatcher")]
pub mod connections;
mod delivery_log;
mod disk;
#[cfg(feature = "ws-edge")]
pub mod edge_connections;
#[cfg(feature = "ws-edge")]
pub mod edge_history;
pub mod fixture;
#[cfg(feature = "dispatcher")]
pub mod history;
#[cfg(feature = "dispatcher")]
pub mod hub_members;
#[cfg(feature = "ws-edge")]
pub mod hubs;
#[cfg(feature = "auth-token")]
pub mod key_sets;
#[cfg(feature = "dispatcher")]
pub mod mailbox;
#[cfg(feature = "replayer")]
pub mod mailbox_keys;
#[cfg(feature = "dispatcher")]
pub mod replay_queue;
#[cfg(feature = "replayer")]
pub mod replayer_queue;
mod rows;
#[cfg(feature = "auth-token")]
pub mod secrets;
#[cfg(feature = "auth-token")]
pub mod tokens;
mod unused_port;

pub use clock::ManualClock;
pub use delivery_log::{DeliveryLog, Repeat};
pub use disk::SmallDisk;
pub use rows::{connection, connection_row, notification, sequences, user};
pub use unused_port::UnusedPort;
