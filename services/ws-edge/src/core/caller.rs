//! The sender of a frame.

use contract_connections_v1::ConnectionId;
use contract_identity_v1::Principal;
use contract_notifications_v1::{HubName, Timestamp};

/// The connection that sent a frame, with the time at which the frame arrived.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The identity that the handshake proved.
    pub principal: &'a Principal,
    /// The connection.
    pub connection_id: &'a ConnectionId,
    /// Hubs the connection is in, the hub of everyone first.
    pub hubs: &'a [HubName],
    /// Time of arrival.
    pub now: Timestamp,
}
