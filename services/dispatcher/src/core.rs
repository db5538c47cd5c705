//! The dispatcher's decisions, without IO and without a clock.
//!
//! [`batch`] turns a received batch into runs, [`run`] decides about the notifications of one run, [`frames`]
//! groups notifications into WebSocket frames, and [`visibility`] delays the redelivery of failed entries.
//! All decisions about order and loss are made here.

pub mod batch;
mod connection_set;
pub mod frames;
pub mod run;
pub mod visibility;

pub use connection_set::ConnectionSet;
