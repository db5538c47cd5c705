//! Version 1 of the contract for two tables. The Connections table has a row for each open WebSocket; its
//! stream has a record with the keys of each new row. The hubs' table has a row for each hub and each member
//! of it.
//!
//! The edge writes and deletes rows, the dispatcher reads them, and the stream of inserts starts the
//! replayer.

mod connection;
mod hub;
mod hub_partition;

pub use connection::{Connection, ConnectionId, ConnectionKey, FrameFormat, UnknownFormat};
pub use hub::{HubMember, InvalidMember, MemberKey};
pub use hub_partition::{HUB_SHARDS, HubPartition, HubRow, InvalidPartition};

/// Names of the key and TTL attributes of the Connections table.
pub mod attributes {
    /// Partition key: the connection's user.
    pub const USER_ID: &str = "userId";
    /// Sort key: the connection's id.
    pub const CONNECTION_ID: &str = "connectionId";
    /// Time to live, in seconds since the epoch.
    pub const TTL: &str = "ttl";
}

/// Names of the key and TTL attributes of the hubs' table.
pub mod hub_attributes {
    /// Partition key: a [`HubPartition`](crate::HubPartition) as text.
    pub const HUB: &str = "hub";
    /// Sort key: a [`MemberKey`](crate::MemberKey) as text.
    pub const MEMBER: &str = "member";
    /// Time to live, in seconds since the epoch.
    pub const TTL: &str = "ttl";
}

/// Names of the attributes of the table with the edge's counts of client actions.
pub mod rate_attributes {
    /// Partition key: the connection or user whose actions are counted.
    pub const KEY: &str = "key";
    /// Start of the current window, in milliseconds since the epoch.
    pub const WINDOW: &str = "window";
    /// Number of actions in the window.
    pub const COUNT: &str = "count";
    /// Time to live, in seconds since the epoch.
    pub const TTL: &str = "ttl";
}
