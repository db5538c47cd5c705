//! What an operator decides.

use std::time::Duration;

use contract_connections_v1::FrameFormat;
use contract_notifications_v1::HubName;

/// The edge's limits and policies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EdgeConfig {
    /// How long after the handshake a connection's row is swept out, should nothing have deleted it.
    pub row_lifetime: Duration,
    /// Largest frame a client may send, in bytes.
    pub max_message_bytes: usize,
    /// Which frames a connection gets that asks for none in particular.
    pub default_format: FrameFormat,
    /// Who may send to whom.
    pub sending: SendPolicy,
    /// The hub that every connection joins, and that messages for everyone go to; none when absent.
    pub everyone: Option<HubName>,
    /// Whether the members of a hub are told when another comes or goes.
    pub presence: bool,
    /// How many actions a connection may ask for; `ping`, `ack` and `whoami` are not counted.
    pub connection_rate: Option<RateLimit>,
    /// How many actions all connections of a user may ask for together.
    pub user_rate: Option<RateLimit>,
    /// How many connections a user may have.
    pub max_connections: Option<ConnectionLimit>,
    /// Whether a connection whose credential has expired is closed when it asks for something.
    pub close_when_expired: bool,
}

impl Default for EdgeConfig {
    /// Ten minutes over the 2 hours, and the 128 KiB, that API Gateway allows
    /// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>).
    /// No client sends to another.
    fn default() -> Self {
        Self {
            row_lifetime: Duration::from_mins(130),
            max_message_bytes: 128 * 1024,
            default_format: FrameFormat::Single,
            sending: SendPolicy::Off,
            everyone: None,
            presence: false,
            connection_rate: None,
            user_rate: None,
            max_connections: None,
            close_when_expired: false,
        }
    }
}

/// Who may send to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SendPolicy {
    /// No client sends anything.
    #[default]
    Off,
    /// To the hubs of the sender, and to users who are in one of them.
    SameHub,
    /// To anyone.
    Anyone,
}

/// How many actions are allowed in a time: windows of `per` begin with the first action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RateLimit {
    /// Most actions in one window.
    pub most: u32,
    /// How long a window is.
    pub per: Duration,
}

/// How many connections a user may have, and what becomes of one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionLimit {
    /// Most connections.
    pub most: usize,
    /// What becomes of one too many.
    pub excess: Excess,
}

/// What becomes of a connection too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Excess {
    /// The new one is refused.
    #[default]
    RefuseNewest,
    /// The oldest is closed.
    CloseOldest,
}
