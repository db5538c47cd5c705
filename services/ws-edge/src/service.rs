//! The edge over its ports.

use contract_connections_v1::{ConnectionId, ConnectionKey};
use contract_frames_v1::{ErrorCode, ServerFrame};
use contract_identity_v1::Principal;
use metrics::counter;
use shared_ports::{Clock, PortError};

use crate::EdgeConfig;
use crate::core::admission::{Admission, ConnectRefusal, ConnectRequest, admit};
use crate::core::frame::{Decision, Inbound, decide};
use crate::ports::{Connections, Mailbox};

/// Why a handshake was not completed.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It asks for what is not possible: 400, with this text for the client.
    #[error(transparent)]
    Refused(#[from] ConnectRefusal),
    /// The connection could not be stored: 500; the text says nothing of why.
    #[error("the connection could not be stored")]
    Unavailable(#[from] PortError),
}

impl ConnectError {
    /// The HTTP status that answers the handshake.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Refused(_) => 400,
            Self::Unavailable(_) => 500,
        }
    }
}

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

/// Answers the routes of the WebSocket API.
///
/// Counts `tidings_connections_opened_total`, `tidings_connections_closed_total`,
/// `tidings_connections_refused_total`, `tidings_notifications_acknowledged_total` and
/// `tidings_frames_refused_total` by `code`.
#[derive(Debug)]
pub struct Edge<C, M, K> {
    connections: C,
    mailbox: M,
    clock: K,
    config: EdgeConfig,
}

impl<C: Connections, M: Mailbox, K: Clock> Edge<C, M, K> {
    /// An edge over its ports.
    pub const fn new(connections: C, mailbox: M, clock: K, config: EdgeConfig) -> Self {
        Self { connections, mailbox, clock, config }
    }

    /// Admits a connection and stores its row; then its handshake may be completed.
    ///
    /// # Errors
    /// [`ConnectError`]; then there is no connection.
    pub async fn connect(
        &self,
        principal: &Principal,
        request: ConnectRequest,
    ) -> Result<Admission, ConnectError> {
        let admission = match admit(principal, request, self.clock.now(), &self.config) {
            Ok(admission) => admission,
            Err(refusal) => {
                counter!("tidings_connections_refused_total").increment(1);
                return Err(refusal.into());
            }
        };
        self.connections.put(&admission.row).await?;
        counter!("tidings_connections_opened_total").increment(1);
        tracing::debug!(connection = %admission.row.connection_id, "connected");
        Ok(admission)
    }

    /// Forgets a connection that closed.
    ///
    /// # Errors
    /// The row could not be deleted: trying again is harmless, and so is not trying, because the
    /// dispatcher deletes rows of connections it finds gone.
    pub async fn disconnect(&self, key: &ConnectionKey) -> Result<(), PortError> {
        self.connections.delete(key).await?;
        counter!("tidings_connections_closed_total").increment(1);
        tracing::debug!(connection = %key.connection_id, "disconnected");
        Ok(())
    }

    /// Acts on a client's frame and gives the answer, if there is one. A failing port is answered with an
    /// error frame: nothing is lost, and the client sends again.
    pub async fn message(&self, principal: &Principal, request: MessageRequest<'_>) -> Option<ServerFrame> {
        match decide(request.frame, &self.config) {
            Decision::Reply(frame) => Some(frame),
            Decision::Refuse { code, message } => Some(refuse(&request, code, message)),
            Decision::Acknowledge { sequences, then } => {
                match self.mailbox.acknowledge(&principal.user_id, &sequences).await {
                    Ok(()) => {
                        // At most as many as one frame may name.
                        let count = u64::try_from(sequences.len()).unwrap_or(u64::MAX);
                        counter!("tidings_notifications_acknowledged_total").increment(count);
                        Some(then)
                    }
                    Err(error) => {
                        let error = shared_telemetry::chain(&error);
                        tracing::warn!(request = request.request_id, error, "an ack could not be stored");
                        let message = "the acknowledgement could not be stored; send it again".to_owned();
                        Some(refuse(&request, ErrorCode::Internal, message))
                    }
                }
            }
        }
    }
}

/// The answer to a frame that is refused.
fn refuse(request: &MessageRequest<'_>, code: ErrorCode, message: String) -> ServerFrame {
    let label = match code {
        ErrorCode::BadRequest => "bad-request",
        ErrorCode::UnknownAction => "unknown-action",
        ErrorCode::Forbidden => "forbidden",
        ErrorCode::Internal => "internal",
    };
    counter!("tidings_frames_refused_total", "code" => label).increment(1);
    tracing::debug!(
        request = request.request_id,
        connection = %request.connection_id,
        code = label,
        "frame refused"
    );
    ServerFrame::Error { code, message, request_id: request.request_id.to_owned() }
}
