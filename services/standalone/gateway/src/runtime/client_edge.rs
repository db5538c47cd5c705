//! Serves WebSocket clients with the edge and the authorizer.

use std::sync::Arc;

use auth_token::{Authorizer, Handshake, Refusal};
use contract_connections_v1::{ConnectionId, ConnectionKey};
use contract_frames_v1::ServerFrame;
use contract_identity_v1::Principal;
use contract_notifications_v1::{Sequence, Timestamp};
use shared_ports::{PortError, SystemClock};
use tidings_identity::cipher::LocalCipher;
use tidings_identity::key_sets::HttpKeySets;
use tidings_identity::shared_secrets::LocalSecrets;
use tidings_identity::single_use::SingleUseTokens;
use tidings_sockets::Registry;
use tidings_store::Store;
use ws_edge::{Admission, ConnectError, ConnectRequest, Edge, MessageRequest};

use crate::rates::MemoryRates;
use crate::server::ClientEdge;
use crate::tracking::TrackedMailbox;
use tidings_history::StoredHistory;
use tidings_hubs::{LocalMessageQueue, MemoryHubs};

/// The authorizer's adapters in this process.
#[derive(Debug)]
pub(super) struct HandshakePorts;

impl auth_token::Adapters for HandshakePorts {
    type Cipher = LocalCipher;
    type Store = SingleUseTokens<SystemClock>;
    type KeySets = HttpKeySets;
    type Secrets = LocalSecrets;
    type Clock = SystemClock;
}

/// The edge's ports in this process.
pub(super) enum EdgePorts {}

impl ws_edge::ports::Ports for EdgePorts {
    type Connections = Registry;
    type Mailbox = TrackedMailbox<Store<SystemClock>, SystemClock>;
    type Clock = SystemClock;
    type Hubs = MemoryHubs;
    type MessageQueue = LocalMessageQueue<SystemClock>;
    type RateLimits = MemoryRates;
    type History = Option<StoredHistory<SystemClock>>;
}

/// The edge and the authorizer in this process.
pub struct LocalEdge {
    pub(super) authorizer: Arc<Authorizer<HandshakePorts>>,
    pub(super) edge: Edge<EdgePorts>,
    pub(super) store: Store<SystemClock>,
}

impl ClientEdge for LocalEdge {
    async fn authorize(&self, handshake: &Handshake) -> Result<Principal, Refusal> {
        self.authorizer.authorize(handshake).await
    }

    async fn connect(
        &self,
        principal: &Principal,
        request: ConnectRequest,
    ) -> Result<Admission, ConnectError> {
        self.edge.connect(principal, request).await
    }

    async fn message(&self, principal: &Principal, request: MessageRequest<'_>) -> Option<ServerFrame> {
        self.edge.message(principal, request).await
    }

    fn confirm(&self, principal: &Principal, sequences: &[Sequence]) {
        self.edge.mailbox.confirm(&principal.user_id, sequences);
    }

    async fn disconnect(
        &self,
        principal: &Principal,
        connection_id: &ConnectionId,
        opened_at: Timestamp,
    ) -> Result<(), PortError> {
        let key = ConnectionKey { user_id: principal.user_id.clone(), connection_id: connection_id.clone() };
        self.store.connection_closed(&key);
        self.edge.disconnect(principal, connection_id, opened_at).await
    }
}
