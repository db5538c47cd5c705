//! Error frames.

use std::time::Duration;

use contract_connections_v1::ConnectionId;
use contract_frames_v1::{ErrorCode, ServerFrame};
use metrics::counter;

/// A reason for refusing a client's request.
pub(super) struct Refusal {
    /// The code, for programs.
    pub(super) code: ErrorCode,
    /// The text, for people.
    pub(super) message: String,
    /// Time after which the client may try again, if it is known.
    pub(super) retry_after: Option<Duration>,
}

impl Refusal {
    /// Creates a refusal without a known time to try again.
    pub(super) const fn new(code: ErrorCode, message: String) -> Self {
        Self { code, message, retry_after: None }
    }

    /// Counts and logs the refusal, and returns its error frame.
    pub(super) fn into_frame(self, connection_id: &ConnectionId, request_id: &str) -> ServerFrame {
        let Self { code, message, retry_after } = self;
        let label = match code {
            ErrorCode::BadRequest => "bad-request",
            ErrorCode::UnknownAction => "unknown-action",
            ErrorCode::Forbidden => "forbidden",
            ErrorCode::TooManyRequests => "too-many-requests",
            ErrorCode::Internal => "internal",
        };
        counter!("tidings_frames_refused_total", "code" => label).increment(1);
        tracing::debug!(request = request_id, connection = %connection_id, code = label, "frame refused");
        let retry_after = retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        ServerFrame::Error { code, message, request_id: request_id.to_owned(), retry_after }
    }
}
