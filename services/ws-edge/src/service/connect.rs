//! Opens and closes connections: their rows, their hubs, and the notices to other members.
//!
//! Hub rows are written before the connection's row: a connection that others can see is in all its hubs.

use std::net::IpAddr;
use std::time::Duration;

use contract_connections_v1::{Connection, ConnectionId, ConnectionKey, HubMember};
use contract_frames_v1::PresenceEvent;
use contract_identity_v1::Principal;
use contract_notifications_v1::Timestamp;
use metrics::counter;
use shared_ports::{Clock as _, Moment, PortError};
use shared_telemetry::chain;

use super::edge::Edge;
use super::message_id;
use crate::config::RateLimit;
use crate::core::admission::{Admission, ConnectRefusal, ConnectRequest, admit};
use crate::core::client_messages::presence_notice;
use crate::core::connection_limit::{self, LimitDecision};
use crate::core::hubs::{hubs_of, membership_rows};
use crate::ports::{Connections as _, Counted, Hubs as _, MessageQueue as _, Ports, RateKey};

/// Errors of a handshake.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The request is invalid; status 400. The text is for the client.
    #[error(transparent)]
    Refused(#[from] ConnectRefusal),
    /// The user has reached the connection limit; status 429. The text is for the client.
    #[error("you already have {most} open connections, the most allowed; close one of them")]
    TooMany {
        /// The limit.
        most: usize,
    },
    /// The user arrives more often than [`EdgeConfig::arrival_rate`](crate::EdgeConfig::arrival_rate) allows; status 429.
    /// The text is for the client.
    #[error("you come and go too often: the members of your hubs are told {} times in {:?} at most", .limit.most, .limit.per)]
    TooOften {
        /// The limit.
        limit: RateLimit,
        /// Time until it allows another arrival.
        wait: Duration,
    },
    /// The handshake took longer than [`EdgeConfig::max_handshake`](crate::EdgeConfig::max_handshake); status 503.
    #[error("the handshake took too long; try again")]
    TooSlow,
    /// The connection could not be stored; status 500. The text leaves out the cause.
    #[error("the connection could not be stored")]
    Unavailable(#[from] PortError),
}

impl ConnectError {
    /// Returns the HTTP status that answers the handshake.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Refused(_) => 400,
            Self::TooMany { .. } | Self::TooOften { .. } => 429,
            Self::TooSlow => 503,
            Self::Unavailable(_) => 500,
        }
    }
}

impl<P: Ports> Edge<P> {
    /// Admits a connection, stores its row and adds it to its hubs. After that the handshake may be
    /// completed.
    ///
    /// # Errors
    /// [`ConnectError`]; the handshake must be refused. Rows that were already written are deleted, or expire.
    pub async fn connect(
        &self,
        principal: &Principal,
        request: ConnectRequest,
    ) -> Result<Admission, ConnectError> {
        let now = self.clock.now();
        let (opened_at, client, guest_of) = (request.opened_at, request.client.clone(), request.guest_of);
        let mut admission = match admit(principal, request, now, &self.config) {
            Ok(admission) => admission,
            Err(refusal) => return Err(refused(refusal.into())),
        };
        let hubs = hubs_of(principal, &self.config);
        let members = membership_rows(hubs, principal, &admission.row.connection_id, now, &self.config);
        let began = match self.open(principal, guest_of, &mut admission, &members).await {
            Ok(began) => began,
            Err(error) => {
                self.undo(&ConnectionKey::from(&admission.row), &members).await;
                return Err(refused(error));
            }
        };
        self.record_opened(principal, &admission.row.connection_id, opened_at, client).await;
        let took = self.clock.moment().since(began);
        if self.config.max_handshake.is_some_and(|longest| took > longest) {
            self.undo(&ConnectionKey::from(&admission.row), &members).await;
            self.record_closed(&principal.user_id, &admission.row.connection_id, opened_at).await;
            return Err(refused(ConnectError::TooSlow));
        }
        counter!("tidings_connections_opened_total").increment(1);
        tracing::debug!(connection = %admission.row.connection_id, "connected");
        Ok(admission)
    }

    /// Stores the rows and returns the moment just before the connection's row was stored.
    async fn open(
        &self,
        principal: &Principal,
        guest_of: Option<IpAddr>,
        admission: &mut Admission,
        members: &[HubMember],
    ) -> Result<Moment, ConnectError> {
        if !members.is_empty() {
            self.hubs.join(members).await?;
        }
        // The grace begins with this time, so it is taken at the last moment before the row can be seen.
        admission.row.connected_at = self.clock.now();
        let began = self.clock.moment();
        self.store(principal, guest_of, &admission.row, members).await?;
        Ok(began)
    }

    async fn store(
        &self,
        principal: &Principal,
        guest_of: Option<IpAddr>,
        row: &Connection,
        members: &[HubMember],
    ) -> Result<(), ConnectError> {
        self.connections.put(row).await?;
        let announces = self.config.presence && !members.is_empty();
        if !announces && self.config.max_connections.is_none() {
            return Ok(());
        }
        // Listed after the row is stored: the last of several simultaneous connections sees all others.
        let open = self.connections.list(&row.user_id).await?;
        // Simultaneous connections see each other, and one of them is the first.
        let age = |row: &Connection| (row.connected_at, row.connection_id.clone());
        let mut others = open.iter().filter(|other| other.connection_id != row.connection_id);
        let is_first = others.all(|other| age(other) > age(row));
        if let Some(limit) = self.config.max_connections {
            match connection_limit::decide(open, &row.connection_id, limit, row.connected_at) {
                LimitDecision::WithinLimit => {}
                LimitDecision::RefuseNew => return Err(ConnectError::TooMany { most: limit.most }),
                LimitDecision::CloseOldest(oldest) => self.close_all(principal, oldest).await?,
            }
        }
        if announces && is_first {
            let key = RateKey::of_sender(Counted::Arrivals, &row.user_id, guest_of);
            self.count_arrival(key, row.connected_at).await?;
            self.announce(principal, PresenceEvent::Joined, members).await;
        }
        Ok(())
    }

    /// Counts an arrival. Refused as a whole: a user whose arrival is not told would leave without having come.
    async fn count_arrival(&self, key: RateKey<'_>, now: Timestamp) -> Result<(), ConnectError> {
        let Some(limit) = self.config.arrival_rate else { return Ok(()) };
        match self.over_limit(key, limit, 1, now).await {
            Some(wait) => Err(ConnectError::TooOften { limit, wait }),
            None => Ok(()),
        }
    }

    /// Deletes the rows of a refused connection. Rows that can't be deleted expire.
    async fn undo(&self, key: &ConnectionKey, members: &[HubMember]) {
        let mut failed = self.connections.delete(key).await.err();
        if !members.is_empty() {
            failed = self.hubs.leave(members).await.err().or(failed);
        }
        if let Some(error) = failed {
            let error = chain(&error);
            tracing::warn!(connection = %key.connection_id, error, "a refused connection left a row");
        }
    }

    async fn close_all(&self, principal: &Principal, ids: Vec<ConnectionId>) -> Result<(), PortError> {
        for connection_id in ids {
            tracing::debug!(connection = %connection_id, "closed in favour of a newer connection");
            let key = ConnectionKey { user_id: principal.user_id.clone(), connection_id };
            self.connections.close(&key).await?;
        }
        Ok(())
    }

    /// Deletes the rows of a connection of `principal` that was opened at `opened_at` and has closed.
    ///
    /// # Errors
    /// [`PortError`] if a row could not be deleted. The call may be repeated, but need not be: the dispatcher
    /// deletes connection rows that it finds gone, and hub rows expire.
    pub async fn disconnect(
        &self,
        principal: &Principal,
        connection_id: &ConnectionId,
        opened_at: Timestamp,
    ) -> Result<(), PortError> {
        let removed = self.remove(principal, connection_id).await;
        self.record_closed(&principal.user_id, connection_id, opened_at).await;
        removed
    }

    async fn remove(&self, principal: &Principal, connection_id: &ConnectionId) -> Result<(), PortError> {
        let key = ConnectionKey { user_id: principal.user_id.clone(), connection_id: connection_id.clone() };
        self.connections.delete(&key).await?;
        counter!("tidings_connections_closed_total").increment(1);
        tracing::debug!(connection = %key.connection_id, "disconnected");
        let hubs = hubs_of(principal, &self.config);
        if hubs.is_empty() {
            return Ok(());
        }
        let members = membership_rows(hubs, principal, connection_id, self.clock.now(), &self.config);
        self.hubs.leave(&members).await?;
        if self.config.presence && self.connections.list(&principal.user_id).await?.is_empty() {
            self.announce(principal, PresenceEvent::Left, &members).await;
        }
        Ok(())
    }

    /// Notifies the other members of the hubs that the user joined or left, except in reserved hubs. A
    /// failure is logged and does not fail the handshake.
    async fn announce(&self, principal: &Principal, event: PresenceEvent, members: &[HubMember]) {
        for member in members.iter().filter(|member| !member.hub.is_reserved()) {
            let id = message_id::random();
            let notice = presence_notice(principal, event, member.hub.clone(), id, self.clock.now());
            let queued = match notice {
                Ok(notice) => self.message_queue.broadcast(notice).await.map_err(|error| chain(&error)),
                Err(error) => Err(chain(&error)),
            };
            if let Err(error) = queued {
                // A crowd that comes and goes causes one each time.
                tracing::debug!(error, "a presence notice could not be queued");
                counter!("tidings_presence_notices_lost_total").increment(1);
            }
        }
    }
}

fn refused(error: ConnectError) -> ConnectError {
    counter!("tidings_connections_refused_total").increment(1);
    error
}
