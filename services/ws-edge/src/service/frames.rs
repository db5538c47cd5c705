//! Answers clients' frames.

use contract_connections_v1::{ConnectionId, ConnectionKey};
use contract_frames_v1::{ErrorCode, ServerFrame};
use contract_identity_v1::Principal;
use contract_notifications_v1::{Sequence, UserId};
use metrics::counter;
use shared_ports::Clock as _;
use shared_telemetry::chain;

use super::edge::Edge;
use super::refusal::Refusal;
use crate::core::caller::Caller;
use crate::core::frame::{Decision, Inbound, decide};
use crate::core::hubs::hubs_of;
use crate::ports::{Connections as _, Mailbox as _, Ports, RateKey, RateLimits as _};

/// A frame from a client, with its connection.
#[derive(Clone, Copy)]
pub struct MessageRequest<'a> {
    /// The connection that sent the frame.
    pub connection_id: &'a ConnectionId,
    /// Id of the request in the log and in an error frame: API Gateway's `requestId`, or the server's own.
    pub request_id: &'a str,
    /// The frame.
    pub frame: Inbound<'a>,
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
                self.acknowledge(&principal.user_id, &sequences, request.request_id).await?;
                Ok(then)
            }
            Decision::Send(message) => {
                self.check_rate(&caller).await?;
                Ok(self.send(message).await)
            }
            Decision::History(query) => {
                self.check_rate(&caller).await?;
                self.history_page(&principal.user_id, &query).await
            }
            Decision::Members(query) => {
                self.check_rate(&caller).await?;
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
    ///
    /// If counting fails, the action is allowed: the limits protect the queue, and the queue refuses for
    /// itself.
    async fn check_rate(&self, caller: &Caller<'_>) -> Result<(), Refusal> {
        let limits = [
            (RateKey::Connection(caller.connection_id), self.config.connection_rate),
            (RateKey::User(&caller.principal.user_id), self.config.user_rate),
        ];
        for (key, limit) in limits {
            let Some(limit) = limit else { continue };
            match self.rate_limits.take(key, limit, caller.now).await {
                Ok(None) => {}
                Ok(Some(wait)) => {
                    let owner = match key {
                        RateKey::Connection(_) => "a connection",
                        RateKey::User(_) => "a user",
                    };
                    let message = format!(
                        "{owner} may request {} actions in {:?}; try again after retryAfter milliseconds",
                        limit.most, limit.per
                    );
                    let code = ErrorCode::TooManyRequests;
                    return Err(Refusal { code, message, retry_after: Some(wait) });
                }
                Err(error) => tracing::warn!(error = chain(&error), "an action could not be counted"),
            }
        }
        Ok(())
    }
}
