//! Version 1 of the Connections table's contract: one row per open WebSocket, its keys, and the image a
//! stream record carries when a row is inserted. And of the hubs' table: one row per hub and connection
//! that has joined it.
//!
//! The edge writes and deletes rows, the dispatcher reads them, and the stream of inserts wakes the
//! replayer.

mod hub;

use std::fmt;
use std::sync::Arc;

use contract_notifications_v1::{Timestamp, UserId, Version1};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use hub::{HubMember, InvalidMember, MemberKey};

/// Names of the table's key and TTL attributes.
pub mod attributes {
    /// Partition key: whose connection.
    pub const USER_ID: &str = "userId";
    /// Sort key: which connection.
    pub const CONNECTION_ID: &str = "connectionId";
    /// Time to live, in seconds since the epoch.
    pub const TTL: &str = "ttl";
}

/// Names of the hubs' table's key and TTL attributes.
pub mod hub_attributes {
    /// Partition key: which hub.
    pub const HUB: &str = "hub";
    /// Sort key: which member; see [`MemberKey`](crate::MemberKey).
    pub const MEMBER: &str = "member";
    /// Time to live, in seconds since the epoch.
    pub const TTL: &str = "ttl";
}

/// Names of the attributes of the table in which the edge counts what clients do.
pub mod rate_attributes {
    /// Partition key: whose actions are counted.
    pub const KEY: &str = "key";
    /// When the present window began, in milliseconds since the epoch.
    pub const WINDOW: &str = "window";
    /// How many actions there were in it.
    pub const COUNT: &str = "count";
    /// Time to live, in seconds since the epoch.
    pub const TTL: &str = "ttl";
}

/// The name API Gateway gives a connection; opaque.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ConnectionId(Arc<str>);

impl ConnectionId {
    /// Wraps an id.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a connection wants its notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FrameFormat {
    /// One `notification` frame each.
    #[default]
    Single,
    /// Several in one `notifications` frame where they wait together; what `tidings.v1` clients speak.
    Batch,
    /// The payload alone, as the source systems sent it. Such a connection can't acknowledge.
    Raw,
}

/// One open connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// Of this contract.
    pub version: Version1,
    /// Whose connection.
    pub user_id: UserId,
    /// Which connection.
    pub connection_id: ConnectionId,
    /// When its handshake was accepted. A push refused within the grace period after it means "not yet
    /// open" and not "gone".
    pub connected_at: Timestamp,
    /// Whether the client acknowledges what it received.
    pub acknowledges: bool,
    /// How it wants its notifications.
    pub format: FrameFormat,
    /// When its credential ends, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When DynamoDB may delete the row, in seconds since the epoch: a little after the 2 hours API
    /// Gateway keeps a connection
    /// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>).
    pub ttl: u64,
}

/// What a stream record of an insert holds (`KEYS_ONLY`): the row's keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionKey {
    /// Whose connection.
    pub user_id: UserId,
    /// Which connection.
    pub connection_id: ConnectionId,
}

impl From<&Connection> for ConnectionKey {
    fn from(row: &Connection) -> Self {
        Self { user_id: row.user_id.clone(), connection_id: row.connection_id.clone() }
    }
}

impl FrameFormat {
    /// Reads the `format` query parameter.
    ///
    /// # Errors
    /// [`UnknownFormat`] naming what was asked for.
    pub fn from_query(value: &str) -> Result<Self, UnknownFormat> {
        match value {
            "single" => Ok(Self::Single),
            "batch" => Ok(Self::Batch),
            "raw" => Ok(Self::Raw),
            other => Err(UnknownFormat { found: other.chars().take(64).collect() }),
        }
    }
}

/// A `format` that is none of those known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("format {found:?} is unknown; known are \"single\", \"batch\" and \"raw\"")]
pub struct UnknownFormat {
    found: String,
}
