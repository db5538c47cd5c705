//! Open connections: their ids, their rows, and the image of an insert on the table's stream.

use std::fmt;
use std::sync::Arc;

use contract_notifications_v1::{Timestamp, UserId, Version1};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Opaque id that API Gateway assigns to a connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ConnectionId(Arc<str>);

impl ConnectionId {
    /// Creates an id from its text.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// Returns the id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Form in which a connection receives its notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FrameFormat {
    /// A `notification` frame for each notification.
    #[default]
    Single,
    /// One `notifications` frame for several that wait together. Clients of `tidings.v1` use it.
    Batch,
    /// The payload alone, as the source systems sent it. Such a connection can't acknowledge.
    Raw,
}

/// One open connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// Contract version.
    pub version: Version1,
    /// The connection's user.
    pub user_id: UserId,
    /// The connection's id.
    pub connection_id: ConnectionId,
    /// Time at which the handshake was accepted. A push that fails within the grace period after it means
    /// that the connection is not open yet, rather than gone.
    pub connected_at: Timestamp,
    /// True if the client acknowledges the notifications it receives.
    pub acknowledges: bool,
    /// Form in which it receives its notifications.
    pub format: FrameFormat,
    /// Time at which the credential expires; it never expires when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Time from which DynamoDB may delete the row, in seconds since the epoch: a little after the 2 hours
    /// for which API Gateway keeps a connection
    /// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>).
    pub ttl: u64,
}

/// A row's keys: the content of a stream record of an insert (`KEYS_ONLY`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionKey {
    /// The connection's user.
    pub user_id: UserId,
    /// The connection's id.
    pub connection_id: ConnectionId,
}

impl From<&Connection> for ConnectionKey {
    fn from(row: &Connection) -> Self {
        Self { user_id: row.user_id.clone(), connection_id: row.connection_id.clone() }
    }
}

impl FrameFormat {
    /// Parses the `format` query parameter.
    ///
    /// # Errors
    /// [`UnknownFormat`] with the value found.
    pub fn from_query(value: &str) -> Result<Self, UnknownFormat> {
        match value {
            "single" => Ok(Self::Single),
            "batch" => Ok(Self::Batch),
            "raw" => Ok(Self::Raw),
            other => Err(UnknownFormat { found: other.chars().take(64).collect() }),
        }
    }
}

/// A `format` that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("format {found:?} is unknown; known are \"single\", \"batch\" and \"raw\"")]
pub struct UnknownFormat {
    found: String,
}
