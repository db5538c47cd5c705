//! Hubs: their members, and broadcasts to all members of one.
//!
//! Members are kept in memory: no connection survives a restart, and permanent members stand in the configuration.
//! A broadcast is on disk until every member has its notification.

mod broadcasts;
mod members;

pub use broadcasts::{BroadcastSettings, Broadcasts, LocalMessageQueue, PendingBroadcasts, run_broadcasts};
pub use members::MemoryHubs;
