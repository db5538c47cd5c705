//! The edge over its ports.

mod frames;
mod history;
mod members;

use contract_connections_v1::{ConnectionId, ConnectionKey, HubMember};
use contract_frames_v1::PresenceEvent;
use contract_identity_v1::Principal;
use contract_notifications_v1::{NotificationId, Sequence, Timestamp, UserId};
use metrics::counter;
use shared_ports::{Clock, PortError};
use uuid::Uuid;

pub use frames::MessageRequest;

use crate::EdgeConfig;
use crate::core::admission::{Admission, ConnectRefusal, ConnectRequest, admit};
use crate::core::crowd::{Crowd, crowd};
use crate::core::hubs::{hubs_of, members};
use crate::core::sending::presence;
use crate::ports::{Connections, History, Hubs, Mailbox, NoHistory, Off, Outbox, RateLimits};

/// Why a handshake was not completed.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It asks for what is not possible: 400, with this text for the client.
    #[error(transparent)]
    Refused(#[from] ConnectRefusal),
    /// The user has as many connections as there may be: 429.
    #[error("there are {most} connections already, and no more are allowed; close one of them")]
    TooMany {
        /// How many there may be.
        most: usize,
    },
    /// The connection could not be stored: 500; the text says nothing of why.
    #[error("the connection could not be stored")]
    Unavailable(#[from] PortError),
}

impl ConnectError {
    /// The HTTP status that answers the handshake.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Refused(_) => 400,
            Self::TooMany { .. } => 429,
            Self::Unavailable(_) => 500,
        }
    }
}

/// Answers the routes of the WebSocket API.
///
/// Counts `tidings_connections_opened_total`, `tidings_connections_closed_total`,
/// `tidings_connections_refused_total`, `tidings_notifications_acknowledged_total`,
/// `tidings_messages_sent_total` by `action`, `tidings_frames_refused_total` by `code`, and
/// `tidings_history_failed_total`.
#[derive(Debug)]
pub struct Edge<C, M, K, H = Off, O = Off, L = Off, Y = NoHistory> {
    /// The Connections table.
    pub connections: C,
    /// The mailboxes.
    pub mailbox: M,
    /// The time.
    pub clock: K,
    /// The hubs' members.
    pub hubs: H,
    /// The notifications queue.
    pub outbox: O,
    /// Counts what clients do.
    pub rates: L,
    /// What happened, for people.
    pub history: Y,
    /// How it works.
    pub config: EdgeConfig,
}

impl<C, M, K> Edge<C, M, K> {
    /// An edge whose clients send nothing to each other, and that keeps no history.
    pub const fn new(connections: C, mailbox: M, clock: K, config: EdgeConfig) -> Self {
        Self { connections, mailbox, clock, hubs: Off, outbox: Off, rates: Off, history: NoHistory, config }
    }
}

impl<C, M, K, H, O, L, Y> Edge<C, M, K, H, O, L, Y>
where
    C: Connections,
    M: Mailbox,
    K: Clock,
    H: Hubs,
    O: Outbox,
    L: RateLimits,
    Y: History,
{
    /// Admits a connection, stores its row and has it join its hubs; then its handshake may be completed.
    ///
    /// # Errors
    /// [`ConnectError`]; then there is no connection.
    pub async fn connect(
        &self,
        principal: &Principal,
        request: ConnectRequest,
    ) -> Result<Admission, ConnectError> {
        let now = self.clock.now();
        let (opened_at, client) = (request.opened_at, request.client.clone());
        let admission = match admit(principal, request, now, &self.config) {
            Ok(admission) => admission,
            Err(refusal) => return Err(refused(refusal.into())),
        };
        let hubs = hubs_of(principal, &self.config);
        let members = members(hubs, principal, &admission.row.connection_id, now, &self.config);
        if let Err(error) = self.open(principal, &admission, &members).await {
            self.undo(&ConnectionKey::from(&admission.row), &members).await;
            return Err(refused(error));
        }
        self.record_opened(principal, &admission.row.connection_id, opened_at, client).await;
        counter!("tidings_connections_opened_total").increment(1);
        tracing::debug!(connection = %admission.row.connection_id, "connected");
        Ok(admission)
    }

    async fn open(
        &self,
        principal: &Principal,
        admission: &Admission,
        members: &[HubMember],
    ) -> Result<(), ConnectError> {
        let row = &admission.row;
        if !members.is_empty() {
            self.hubs.join(members).await?;
        }
        self.connections.put(row).await?;
        let tells = self.config.presence && !members.is_empty();
        if !tells && self.config.max_connections.is_none() {
            return Ok(());
        }
        // Only now, so that of several that open at the same time the last one stored sees the others.
        let open = self.connections.list(&row.user_id).await?;
        let is_first = open.iter().all(|other| other.connection_id == row.connection_id);
        if let Some(limit) = self.config.max_connections {
            match crowd(open, &row.connection_id, limit, row.connected_at) {
                Crowd::Fits => {}
                Crowd::Refuse => return Err(ConnectError::TooMany { most: limit.most }),
                Crowd::Close(oldest) => self.close_all(principal, oldest).await?,
            }
        }
        if tells && is_first {
            self.tell(principal, PresenceEvent::Joined, members).await;
        }
        Ok(())
    }

    /// Takes back what was stored for a connection that is refused. What can't be taken back expires.
    async fn undo(&self, key: &ConnectionKey, members: &[HubMember]) {
        let mut failed = self.connections.delete(key).await.err();
        if !members.is_empty() {
            failed = self.hubs.leave(members).await.err().or(failed);
        }
        if let Some(error) = failed {
            let error = shared_telemetry::chain(&error);
            tracing::warn!(connection = %key.connection_id, error, "a refused connection left a row behind");
        }
    }

    async fn close_all(&self, principal: &Principal, ids: Vec<ConnectionId>) -> Result<(), PortError> {
        for connection_id in ids {
            tracing::debug!(connection = %connection_id, "closed for a newer one");
            let key = ConnectionKey { user_id: principal.user_id.clone(), connection_id };
            self.connections.close(&key).await?;
        }
        Ok(())
    }

    /// Forgets a connection of `principal` that opened at `opened_at` and closed now.
    ///
    /// # Errors
    /// A row could not be deleted: trying again is harmless, and so is not trying, because the dispatcher
    /// deletes rows of connections it finds gone, and the members of hubs expire.
    pub async fn disconnect(
        &self,
        principal: &Principal,
        connection_id: &ConnectionId,
        opened_at: Timestamp,
    ) -> Result<(), PortError> {
        let forgotten = self.forget(principal, connection_id).await;
        self.record_closed(&principal.user_id, connection_id, opened_at).await;
        forgotten
    }

    async fn forget(&self, principal: &Principal, connection_id: &ConnectionId) -> Result<(), PortError> {
        let key = ConnectionKey { user_id: principal.user_id.clone(), connection_id: connection_id.clone() };
        self.connections.delete(&key).await?;
        counter!("tidings_connections_closed_total").increment(1);
        tracing::debug!(connection = %key.connection_id, "disconnected");
        let hubs = hubs_of(principal, &self.config);
        if hubs.is_empty() {
            return Ok(());
        }
        let members = members(hubs, principal, connection_id, self.clock.now(), &self.config);
        self.hubs.leave(&members).await?;
        if self.config.presence && self.connections.list(&principal.user_id).await?.is_empty() {
            self.tell(principal, PresenceEvent::Left, &members).await;
        }
        Ok(())
    }

    /// Tells the other members of the hubs that a user came or went, except in the gateway's own. It is worth
    /// no handshake: what can't be told is logged.
    async fn tell(&self, principal: &Principal, event: PresenceEvent, members: &[HubMember]) {
        for member in members.iter().filter(|member| !member.hub.is_reserved()) {
            let notice = presence(principal, event, member.hub.clone(), new_id(), self.clock.now());
            let told = match notice {
                Ok(notice) => {
                    self.outbox.broadcast(notice).await.map_err(|error| shared_telemetry::chain(&error))
                }
                Err(error) => Err(shared_telemetry::chain(&error)),
            };
            if let Err(error) = told {
                tracing::warn!(error, "a hub could not be told who came or went");
            }
        }
    }
}

fn refused(error: ConnectError) -> ConnectError {
    counter!("tidings_connections_refused_total").increment(1);
    error
}

/// The id of a notification whose sender gave none.
fn new_id() -> NotificationId {
    legal(Uuid::new_v4())
}

/// The id of a notification that its sender calls `key`: the same whenever it is sent again, and no other
/// client's or producer's, whatever they call theirs. A UUID by name (RFC 9562, section 5.5) in a namespace of
/// the sender's own.
fn id_of(sender: &UserId, key: &NotificationId) -> NotificationId {
    let namespace = Uuid::new_v5(&Uuid::NAMESPACE_OID, sender.as_str().as_bytes());
    legal(Uuid::new_v5(&namespace, key.as_str().as_bytes()))
}

fn legal(uuid: Uuid) -> NotificationId {
    // A UUID is always a legal id.
    NotificationId::new(uuid.to_string()).unwrap_or_else(|_| Sequence::ZERO.into())
}
