//! Frames of clients.

use std::time::Duration;

use contract_connections_v1::{ConnectionId, ConnectionKey};
use contract_frames_v1::{ErrorCode, SendResult, ServerFrame};
use contract_identity_v1::Principal;
use contract_notifications_v1::{HubName, NotificationId, Sequence, UserId};
use metrics::counter;
use shared_ports::{Clock, PortError};
use shared_telemetry::chain;

use super::{Edge, id_of, new_id};
use crate::core::frame::{Caller, Decision, Inbound, decide};
use crate::core::hubs::hubs_of;
use crate::core::sending::{Letter, SendOrder, Target};
use crate::ports::{Connections, History, Hubs, Mailbox, Outbox, RateKey, RateLimits};

/// A frame from a client and where it came from.
#[derive(Clone, Copy)]
pub struct MessageRequest<'a> {
    /// The connection it came over.
    pub connection_id: &'a ConnectionId,
    /// Names the request in the log and in an error frame: API Gateway's `requestId`, or one the server
    /// made.
    pub request_id: &'a str,
    /// The frame.
    pub frame: Inbound<'a>,
}

/// Why a client does not get what it asked for.
pub(super) struct Refusal {
    /// For programs.
    pub(super) code: ErrorCode,
    /// For people.
    pub(super) message: String,
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
    /// Acts on a client's frame and gives the answer, if there is one. A failing port is answered with an
    /// error frame: nothing is lost, and the client sends again.
    pub async fn message(&self, principal: &Principal, request: MessageRequest<'_>) -> Option<ServerFrame> {
        let now = self.clock.now();
        if self.config.close_when_expired && principal.expires_at.is_some_and(|at| at <= now) {
            self.close(principal, request.connection_id).await;
            let message = "the credential has expired; connect again with a new one".to_owned();
            return Some(refuse(&request, ErrorCode::Forbidden, message));
        }
        let hubs = hubs_of(principal, &self.config);
        let caller = Caller { principal, connection_id: request.connection_id, hubs: &hubs, now };
        match decide(request.frame, &caller, &self.config) {
            Decision::Reply(frame) => Some(frame),
            Decision::Refuse { code, message } => Some(refuse(&request, code, message)),
            Decision::Acknowledge { sequences, then } => {
                Some(self.acknowledge(&principal.user_id, &sequences, then, &request).await)
            }
            Decision::Send(order) => match self.limited(&caller, &request).await {
                Some(refusal) => Some(refusal),
                None => Some(self.send(order).await),
            },
            Decision::History(query) => match self.limited(&caller, &request).await {
                Some(refusal) => Some(refusal),
                None => Some(answer(&request, self.past(&principal.user_id, &query).await)),
            },
            Decision::Members(order) => match self.limited(&caller, &request).await {
                Some(refusal) => Some(refusal),
                None => Some(answer(&request, self.who_is_there(&caller, order).await)),
            },
        }
    }

    async fn acknowledge(
        &self,
        user: &UserId,
        sequences: &[Sequence],
        then: ServerFrame,
        request: &MessageRequest<'_>,
    ) -> ServerFrame {
        match self.mailbox.acknowledge(user, sequences).await {
            Ok(()) => {
                // At most as many as one frame may name.
                let count = u64::try_from(sequences.len()).unwrap_or(u64::MAX);
                counter!("tidings_notifications_acknowledged_total").increment(count);
                then
            }
            Err(error) => {
                tracing::warn!(
                    request = request.request_id,
                    error = chain(&error),
                    "an ack could not be stored"
                );
                let message = "the acknowledgement could not be stored; send it again".to_owned();
                refuse(request, ErrorCode::Internal, message)
            }
        }
    }

    async fn close(&self, principal: &Principal, connection_id: &ConnectionId) {
        let key = ConnectionKey { user_id: principal.user_id.clone(), connection_id: connection_id.clone() };
        if let Err(error) = self.connections.close(&key).await {
            tracing::warn!(%connection_id, error = chain(&error), "an expired connection could not be closed");
        }
    }

    /// The refusal of an action that is one too many; `None` when it is not. An action that can't be
    /// counted is let through: whether it can be carried out is for the queue to say.
    async fn limited(&self, caller: &Caller<'_>, request: &MessageRequest<'_>) -> Option<ServerFrame> {
        let limits = [
            (RateKey::Connection(caller.connection_id), self.config.connection_rate),
            (RateKey::User(&caller.principal.user_id), self.config.user_rate),
        ];
        for (key, limit) in limits {
            let Some(limit) = limit else { continue };
            match self.rates.take(key, limit, caller.now).await {
                Ok(None) => {}
                Ok(Some(wait)) => {
                    let whose = match key {
                        RateKey::Connection(_) => "a connection",
                        RateKey::User(_) => "a user",
                    };
                    let message =
                        format!("{whose} may ask for {} actions in {:?}; wait", limit.most, limit.per);
                    return Some(too_many(request, message, wait));
                }
                Err(error) => tracing::warn!(error = chain(&error), "an action could not be counted"),
            }
        }
        None
    }

    async fn send(&self, order: SendOrder) -> ServerFrame {
        let SendOrder { targets, id, letter } = order;
        let idempotency_key = id;
        let id = idempotency_key.as_ref().map_or_else(new_id, |key| id_of(&letter.sender, key));
        let mut results: Vec<SendResult> = Vec::with_capacity(targets.len());
        let (mut notifications, mut places) = (Vec::new(), Vec::new());
        for target in targets {
            let to = target.name().into();
            let code = match target {
                Target::Hub { hub, .. } => self.broadcast(&letter, &id, hub).await,
                Target::User { user_id, shared } => match self.may_reach(&user_id, shared).await {
                    Ok(true) => {
                        places.push(results.len());
                        notifications.push(letter.to_user(id.clone(), user_id));
                        None
                    }
                    Ok(false) => Some(ErrorCode::Forbidden),
                    Err(error) => Some(not_sent(&error)),
                },
            };
            results.push(SendResult { to, accepted: code.is_none(), code });
        }
        if !notifications.is_empty() {
            for (place, outcome) in places.into_iter().zip(self.outbox.send(notifications).await) {
                let code = outcome.err().map(|error| not_sent(&error));
                results[place] = SendResult { accepted: code.is_none(), code, ..results[place].clone() };
            }
        }
        let accepted = results.iter().filter(|result| result.accepted).count();
        counter!("tidings_messages_sent_total", "action" => letter.kind).increment(accepted as u64);
        ServerFrame::Sent { id, idempotency_key, results }
    }

    async fn broadcast(&self, letter: &Letter, id: &NotificationId, hub: HubName) -> Option<ErrorCode> {
        let queued = self.outbox.broadcast(letter.to_hub(id.clone(), hub)).await;
        queued.err().map(|error| not_sent(&error))
    }

    /// Whether a user may be sent to: anyone, or who is in one of the hubs.
    async fn may_reach(&self, user: &UserId, shared: Option<Vec<HubName>>) -> Result<bool, PortError> {
        let Some(hubs) = shared else { return Ok(true) };
        for hub in hubs {
            if self.hubs.has(&hub, user).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn not_sent(error: &PortError) -> ErrorCode {
    tracing::warn!(error = chain(error), "a message could not be queued");
    ErrorCode::Internal
}

/// What a client gets for what it asked for, or why it does not.
fn answer(request: &MessageRequest<'_>, outcome: Result<ServerFrame, Refusal>) -> ServerFrame {
    outcome.unwrap_or_else(|Refusal { code, message }| refuse(request, code, message))
}

/// The answer to a frame that is refused.
fn refuse(request: &MessageRequest<'_>, code: ErrorCode, message: String) -> ServerFrame {
    error_frame(request, code, message, None)
}

/// The answer to an action that is one too many.
fn too_many(request: &MessageRequest<'_>, message: String, wait: Duration) -> ServerFrame {
    error_frame(request, ErrorCode::TooManyRequests, message, Some(wait))
}

fn error_frame(
    request: &MessageRequest<'_>,
    code: ErrorCode,
    message: String,
    wait: Option<Duration>,
) -> ServerFrame {
    let label = match code {
        ErrorCode::BadRequest => "bad-request",
        ErrorCode::UnknownAction => "unknown-action",
        ErrorCode::Forbidden => "forbidden",
        ErrorCode::TooManyRequests => "too-many-requests",
        ErrorCode::Internal => "internal",
    };
    counter!("tidings_frames_refused_total", "code" => label).increment(1);
    tracing::debug!(
        request = request.request_id,
        connection = %request.connection_id,
        code = label,
        "frame refused"
    );
    let retry_after = wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    ServerFrame::Error { code, message, request_id: request.request_id.to_owned(), retry_after }
}
