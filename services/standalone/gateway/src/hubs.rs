//! Hubs: who has joined them, and what is sent to all of their members.
//!
//! Members are in memory: no connection survives a restart, and those by the operator's decision stand in
//! the configuration. Broadcasts are on disk until every member has its notification.

mod broadcasts;
mod members;

pub use broadcasts::{BroadcastSettings, Broadcasts, Outbox, PendingBroadcasts, run_broadcasts};
pub use members::MemoryHubs;
