//! The limits and policies an operator sets.

use std::time::Duration;

use contract_connections_v1::FrameFormat;
use contract_notifications_v1::{HubName, MAX_PAYLOAD_DEPTH};

/// The edge's limits and policies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EdgeConfig {
    /// Lifetime of a connection's row, counted from the handshake. Rows of connections whose end was never
    /// reported expire after it.
    pub row_lifetime: Duration,
    /// Largest frame a client may send, in bytes.
    pub max_message_bytes: usize,
    /// Frame format of connections that ask for none.
    pub default_format: FrameFormat,
    /// Policy for messages from client to client.
    pub client_messages: ClientMessagePolicy,
    /// Hub that every connection joins and that receives messages for `all`. `None`: there is no such hub.
    pub everyone: Option<HubName>,
    /// True if the members of a hub are notified when a user joins or leaves it.
    pub presence: bool,
    /// Rate limit of one connection's actions; `ping`, `ack` and `whoami` don't count here.
    pub connection_rate: Option<RateLimit>,
    /// Rate limit of all actions of one user, over all connections; the same actions count.
    pub user_rate: Option<RateLimit>,
    /// Limit of the sequences that one user acknowledges. Frames with at most [`UNCOUNTED_ACKNOWLEDGEMENTS`] don't count:
    /// they cost no more than any other frame.
    pub acknowledgement_rate: Option<RateLimit>,
    /// Limit of the recipients of one user's messages; a hub counts as one.
    pub recipient_rate: Option<RateLimit>,
    /// Limit of the members whom one user's messages to hubs reach, where the size of a hub is known. A hub with more
    /// members takes the whole limit.
    pub hub_member_rate: Option<RateLimit>,
    /// Limit of the arrivals of one user that are told to other members. A user who arrives more often is refused.
    pub arrival_rate: Option<RateLimit>,
    /// Limit of the bytes of one user's messages, counted for each recipient.
    pub byte_rate: Option<RateLimit>,
    /// Limit of the bytes of one user's messages that may be held. Those to connected users count too: one who never
    /// acknowledges would let the sender fill the disk.
    pub sender_quota: Option<RateLimit>,
    /// Limit of the bytes of messages of clients for one user's mailbox.
    pub mailbox_quota: Option<RateLimit>,
    /// Time for which a client's message is held. `None`: for ever.
    pub client_message_lifetime: Option<Duration>,
    /// Most levels of arrays and objects in a client's message.
    pub max_payload_depth: usize,
    /// Limit of a user's open connections.
    pub max_connections: Option<ConnectionLimit>,
    /// True if a connection with an expired credential is closed at its next frame.
    pub close_when_expired: bool,
    /// Time without a frame of the client's after which it should send a `ping`, as the answer to one tells it. `None` where
    /// idle connections are not closed.
    pub heartbeat: Option<Duration>,
    /// Longest time from the storing of a connection's row to the end of its handshake; a slower handshake is
    /// refused. Shorter than the dispatcher's grace, after which a connection that is not open counts as gone.
    /// `None` where a connection that is not open is never taken for gone.
    pub max_handshake: Option<Duration>,
}

/// Heartbeat where the gateway closes a connection that was idle for `timeout`: a seventh sooner, so that the `ping` of a
/// page whose timers are late still arrives.
pub fn heartbeat_within(timeout: Duration) -> Duration {
    timeout * 6 / 7
}

/// Longest handshake where the dispatcher's grace is its default, five seconds. The rest is for the gateway, which opens
/// the connection after the answer.
pub const MAX_HANDSHAKE: Duration = Duration::from_secs(3);

/// Most sequences of an `ack` that is not counted. DynamoDB deletes as many rows in one call
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>).
pub const UNCOUNTED_ACKNOWLEDGEMENTS: usize = 25;

impl Default for EdgeConfig {
    /// Rows live ten minutes longer than the 2 hours API Gateway allows a connection, frames may have the
    /// 128 KiB it allows
    /// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>),
    /// and clients send nothing to each other. What they send is held for thirty days.
    fn default() -> Self {
        Self {
            row_lifetime: Duration::from_mins(130),
            max_message_bytes: 128 * 1024,
            default_format: FrameFormat::Single,
            client_messages: ClientMessagePolicy::Off,
            everyone: None,
            presence: false,
            connection_rate: None,
            user_rate: None,
            acknowledgement_rate: None,
            recipient_rate: None,
            hub_member_rate: None,
            arrival_rate: None,
            byte_rate: None,
            sender_quota: None,
            mailbox_quota: None,
            client_message_lifetime: Some(Duration::from_hours(24 * 30)),
            max_payload_depth: MAX_PAYLOAD_DEPTH,
            max_connections: None,
            close_when_expired: false,
            heartbeat: None,
            max_handshake: None,
        }
    }
}

/// Recipients a client may send messages to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ClientMessagePolicy {
    /// None: clients don't send.
    #[default]
    Off,
    /// The sender's hubs, and users who are in one of them.
    SameHub,
    /// Every user and hub.
    Anyone,
}

/// Largest number of actions, recipients or bytes in a window of time. A window begins with the first action after
/// the end of the previous one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RateLimit {
    /// Most actions, recipients or bytes in one window.
    pub most: u32,
    /// Length of a window.
    pub per: Duration,
}

/// Largest number of open connections of one user, and the connection that is given up beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionLimit {
    /// Most connections.
    pub most: usize,
    /// The connection to give up when there is one more.
    pub excess: Excess,
}

/// The connection that is given up when a user exceeds a [`ConnectionLimit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Excess {
    /// Refuse the new connection.
    #[default]
    RefuseNewest,
    /// Close the oldest connection.
    CloseOldest,
}
