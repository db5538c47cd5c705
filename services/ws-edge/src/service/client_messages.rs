//! Queues messages that clients send to each other.

use contract_frames_v1::{ErrorCode, SendResult, ServerFrame};
use contract_notifications_v1::{HubName, UserId, WhenOffline};
use metrics::counter;
use shared_ports::PortError;
use shared_telemetry::chain;

use super::edge::Edge;
use super::message_id;
use crate::core::client_messages::{ClientMessage, SendRequest, Target};
use crate::ports::{Counted, FanOutProgress, Hubs as _, MessageQueue as _, Ports, RateKey};

impl<P: Ports> Edge<P> {
    /// Queues a message for its recipients, and returns the answer with a result for each of them.
    pub(super) async fn send(&self, request: SendRequest) -> ServerFrame {
        let SendRequest { targets, idempotency_key, message } = request;
        let id = idempotency_key
            .as_ref()
            .map_or_else(message_id::random, |key| message_id::for_key(&message.sender, key));
        let mut results: Vec<SendResult> = Vec::with_capacity(targets.len());
        // Notifications for users are queued in one call at the end. `positions` has the index of the result of
        // each.
        let (mut notifications, mut positions) = (Vec::new(), Vec::new());
        for target in targets {
            let to = target.name().into();
            let (mut explanation, mut pending) = (None, false);
            let code = match target {
                Target::Invalid { error, .. } => {
                    explanation = Some(error.to_string().into());
                    Some(ErrorCode::BadRequest)
                }
                Target::Hub { hub, .. } => {
                    let queued = self.message_queue.broadcast_in_order(message.to_hub(id.clone(), hub)).await;
                    pending = matches!(queued, Ok(FanOutProgress::Pending));
                    queued.err().map(|error| not_queued(&error))
                }
                Target::User { user_id, shared_hubs } => match self.may_reach(&user_id, shared_hubs).await {
                    Ok(true) if self.is_mailbox_full(&message, &user_id).await => {
                        counter!("tidings_mailbox_quota_refused_total").increment(1);
                        let text =
                            "the recipient's mailbox takes no more messages of clients now; try again later";
                        explanation = Some(text.into());
                        Some(ErrorCode::TooManyRequests)
                    }
                    Ok(true) => {
                        positions.push(results.len());
                        notifications.push(message.to_user(id.clone(), user_id));
                        None
                    }
                    Ok(false) => Some(ErrorCode::Forbidden),
                    Err(error) => Some(not_queued(&error)),
                },
            };
            results.push(SendResult { to, accepted: code.is_none(), pending, code, message: explanation });
        }
        if !notifications.is_empty() {
            let queued = self.message_queue.send(notifications).await;
            for (position, outcome) in positions.into_iter().zip(queued) {
                let code = outcome.err().map(|error| not_queued(&error));
                results[position] =
                    SendResult { accepted: code.is_none(), code, ..results[position].clone() };
            }
        }
        let accepted = results.iter().filter(|result| result.accepted).count();
        counter!("tidings_messages_sent_total", "action" => message.kind).increment(accepted as u64);
        ServerFrame::Sent { id, idempotency_key, results }
    }

    /// Counts a message that may be held for a user. Returns true if clients have filled the user's mailbox.
    async fn is_mailbox_full(&self, message: &ClientMessage, user: &UserId) -> bool {
        match self.config.mailbox_quota {
            Some(limit) if message.when_offline == WhenOffline::Hold => {
                let (key, bytes) = (RateKey::User(Counted::Mailbox, user), message.stored_bytes());
                self.over_limit(key, limit, bytes, message.sent_at).await.is_some()
            }
            _ => false,
        }
    }

    /// Returns true if the user is in one of `shared_hubs`, or if there is no such restriction.
    async fn may_reach(&self, user: &UserId, shared_hubs: Option<Vec<HubName>>) -> Result<bool, PortError> {
        let Some(hubs) = shared_hubs else { return Ok(true) };
        for hub in hubs {
            if self.hubs.has(&hub, user).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Logs the failure of a port, and returns the code for the sender.
fn not_queued(error: &PortError) -> ErrorCode {
    tracing::warn!(error = chain(error), "a message could not be queued");
    ErrorCode::Internal
}
