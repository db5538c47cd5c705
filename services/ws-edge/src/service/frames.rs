//! Answers clients' frames.

use std::net::IpAddr;
use std::time::Duration;

use contract_connections_v1::{ConnectionId, ConnectionKey};
use contract_frames_v1::{ErrorCode, ServerFrame};
use contract_identity_v1::Principal;
use contract_notifications_v1::{Sequence, Timestamp, UserId, WhenOffline};
use metrics::counter;
use shared_ports::Clock as _;
use shared_telemetry::chain;

use super::edge::Edge;
use super::refusal::Refusal;
use crate::config::{RateLimit, UNCOUNTED_ACKNOWLEDGEMENTS};
use crate::core::caller::Caller;
use crate::core::client_messages::{SendRequest, Target};
use crate::core::frame::{Decision, Inbound, decide};
use crate::core::hubs::hubs_of;
use crate::ports::{Connections as _, Counted, Hubs as _, Mailbox as _, Ports, RateKey, RateLimits as _};

/// A frame from a client, with its connection.
#[derive(Clone, Copy)]
pub struct MessageRequest<'a> {
    /// The connection that sent the frame.
    pub connection_id: &'a ConnectionId,
    /// Id of the request in the log and in an error frame: API Gateway's `requestId`, or the server's own.
    pub request_id: &'a str,
    /// The frame.
    pub frame: Inbound<'a>,
    /// As in [`ConnectRequest`](crate::ConnectRequest).
    pub guest_of: Option<IpAddr>,
}

impl<P: Ports> Edge<P> {
    /// Acts on a client's frame and returns the answer. At present every frame has one.
    ///
    /// If a port fails, the answer says so, with an error frame or in the results of a message's recipients,
    /// and the client can send its frame again. If the future is dropped, the frame may have had its effect.
    pub async fn message(&self, principal: &Principal, request: MessageRequest<'_>) -> Option<ServerFrame> {
        let answer = self.answer(principal, &request).await;
        Some(answer.unwrap_or_else(|refusal| refusal.into_frame(request.connection_id, request.request_id)))
    }

    async fn answer(
        &self,
        principal: &Principal,
        request: &MessageRequest<'_>,
    ) -> Result<ServerFrame, Refusal> {
        let now = self.clock.now();
        if self.config.close_when_expired && principal.expires_at.is_some_and(|at| at <= now) {
            self.close(principal, request.connection_id).await;
            let message = "the credential has expired; connect again with a new one".to_owned();
            return Err(Refusal::new(ErrorCode::Forbidden, message));
        }
        let hubs = hubs_of(principal, &self.config);
        let caller = Caller { principal, connection_id: request.connection_id, hubs: &hubs, now };
        match decide(request.frame, &caller, &self.config) {
            Decision::Reply(frame) => Ok(frame),
            Decision::Refuse { code, message } => Err(Refusal::new(code, message)),
            Decision::Acknowledge { sequences, then } => {
                self.check_acknowledgements(&caller, sequences.len(), request.guest_of).await?;
                self.acknowledge(&principal.user_id, &sequences, request.request_id).await?;
                Ok(then)
            }
            Decision::Send(message) => {
                self.check_rate(&caller, request.guest_of).await?;
                self.check_volume(&caller, &message, request.guest_of).await?;
                Ok(self.send(message).await)
            }
            Decision::History(query) => {
                self.check_rate(&caller, request.guest_of).await?;
                self.history_page(&principal.user_id, &query).await
            }
            Decision::Members(query) => {
                self.check_rate(&caller, request.guest_of).await?;
                self.connected_members(&caller, query).await
            }
        }
    }

    async fn acknowledge(
        &self,
        user: &UserId,
        sequences: &[Sequence],
        request_id: &str,
    ) -> Result<(), Refusal> {
        self.mailbox.acknowledge(user, sequences).await.map_err(|error| {
            tracing::warn!(request = request_id, error = chain(&error), "an ack could not be stored");
            let message = "the acknowledgement could not be stored; send it again".to_owned();
            Refusal::new(ErrorCode::Internal, message)
        })?;
        // A frame names far fewer sequences than fit into 64 bits.
        let count = u64::try_from(sequences.len()).unwrap_or(u64::MAX);
        counter!("tidings_notifications_acknowledged_total").increment(count);
        Ok(())
    }

    async fn close(&self, principal: &Principal, connection_id: &ConnectionId) {
        let key = ConnectionKey { user_id: principal.user_id.clone(), connection_id: connection_id.clone() };
        if let Err(error) = self.connections.close(&key).await {
            tracing::warn!(%connection_id, error = chain(&error), "an expired connection could not be closed");
        }
    }

    /// Counts an action, and refuses it if it exceeds a rate limit.
    async fn check_rate(&self, caller: &Caller<'_>, guest_of: Option<IpAddr>) -> Result<(), Refusal> {
        self.count(RateKey::Connection(caller.connection_id), self.config.connection_rate, 1, caller).await?;
        let key = RateKey::of_sender(Counted::Actions, &caller.principal.user_id, guest_of);
        self.count(key, self.config.user_rate, 1, caller).await
    }

    /// Counts the sequences of an `ack` with many, and refuses it if they exceed the limit: they need not exist, and looking
    /// for them costs the more the more there are.
    async fn check_acknowledgements(
        &self,
        caller: &Caller<'_>,
        count: usize,
        guest_of: Option<IpAddr>,
    ) -> Result<(), Refusal> {
        if count <= UNCOUNTED_ACKNOWLEDGEMENTS {
            return Ok(());
        }
        let key = RateKey::of_sender(Counted::Acknowledgements, &caller.principal.user_id, guest_of);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.count(key, self.config.acknowledgement_rate, count, caller).await
    }

    /// Counts the recipients and bytes of a message, and refuses it if they exceed a limit of its sender.
    async fn check_volume(
        &self,
        caller: &Caller<'_>,
        request: &SendRequest,
        guest_of: Option<IpAddr>,
    ) -> Result<(), Refusal> {
        let recipients = u32::try_from(request.targets.len()).unwrap_or(u32::MAX);
        let bytes = request.message.stored_bytes().saturating_mul(recipients);
        let (user, config) = (&caller.principal.user_id, &self.config);
        let key = |counted| RateKey::of_sender(counted, user, guest_of);
        self.count(key(Counted::Recipients), config.recipient_rate, recipients, caller).await?;
        if let Some(limit) = config.hub_member_rate {
            let members = self.hub_members(&request.targets).await.min(limit.most);
            if members > 0 {
                self.count(key(Counted::HubMembers), Some(limit), members, caller).await?;
            }
        }
        self.count(key(Counted::Bytes), config.byte_rate, bytes, caller).await?;
        if request.message.when_offline == WhenOffline::Hold {
            self.count(key(Counted::Held), config.sender_quota, bytes, caller).await?;
        }
        Ok(())
    }

    /// Returns the number of members whom a message reaches through hubs, as far as it is known.
    async fn hub_members(&self, targets: &[Target]) -> u32 {
        let mut members = 0_u32;
        for target in targets {
            if let Target::Hub { hub, .. } = target
                && let Some(size) = self.hubs.size(hub).await
            {
                members = members.saturating_add(u32::try_from(size).unwrap_or(u32::MAX));
            }
        }
        members
    }

    async fn count(
        &self,
        key: RateKey<'_>,
        limit: Option<RateLimit>,
        amount: u32,
        caller: &Caller<'_>,
    ) -> Result<(), Refusal> {
        let Some(limit) = limit else { return Ok(()) };
        let Some(wait) = self.over_limit(key, limit, amount, caller.now).await else { return Ok(()) };
        let (owner, counted) = match key {
            RateKey::Connection(_) => ("a connection", Counted::Actions),
            RateKey::User(counted, _) => ("a user", counted),
            RateKey::Guests(counted, _) => ("the guests of an address together", counted),
        };
        let (may, per) = match counted {
            Counted::Actions => ("may request", "actions"),
            Counted::Acknowledgements => ("may acknowledge", "sequences"),
            Counted::Recipients => ("may send to", "recipients"),
            Counted::HubMembers => ("may reach, with messages to hubs,", "members"),
            Counted::Arrivals => ("may arrive", "times"),
            Counted::Bytes => ("may send", "bytes"),
            Counted::Held => ("may send, to be held,", "bytes"),
            Counted::Mailbox => ("may be sent by clients", "bytes"),
        };
        let message = format!(
            "{owner} {may} {} {per} in {:?}; try again after retryAfter milliseconds",
            limit.most, limit.per
        );
        Err(Refusal { code: ErrorCode::TooManyRequests, message, retry_after: Some(wait) })
    }

    /// Counts an amount. Returns the time to wait if it exceeds the limit.
    ///
    /// If counting fails, the amount is allowed: the limits protect the queue, and the queue refuses for itself.
    pub(super) async fn over_limit(
        &self,
        key: RateKey<'_>,
        limit: RateLimit,
        amount: u32,
        now: Timestamp,
    ) -> Option<Duration> {
        match self.rate_limits.take(key, limit, amount, now).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::warn!(error = chain(&error), "an action could not be counted");
                None
            }
        }
    }
}
