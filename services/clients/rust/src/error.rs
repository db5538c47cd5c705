//! Errors of the client, and problem documents of the gateway.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A gateway's description of an error: a problem document (RFC 9457), or an excerpt of another answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Problem {
    /// The HTTP status. 0 if the document has none.
    pub status: u16,
    /// Kind of the error.
    pub title: String,
    /// Description of this occurrence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Identifies the request in the gateway's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// Reads the body of an answer with the given status.
    pub fn from_body(status: u16, body: &[u8]) -> Self {
        let mut problem: Self = serde_json::from_slice(body).unwrap_or_else(|_| Self {
            detail: std::str::from_utf8(body).ok().map(excerpt).filter(|text| !text.is_empty()),
            ..Self::default()
        });
        if problem.status == 0 {
            problem.status = status;
        }
        problem
    }

    /// Returns true if the same request may succeed later.
    pub const fn is_retryable(&self) -> bool {
        is_retryable(self.status)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.detail, self.title.as_str()) {
            (Some(detail), _) => f.write_str(detail)?,
            (None, "") => write!(f, "status {}", self.status)?,
            (None, title) => f.write_str(title)?,
        }
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

/// Returns the first line of a foreign text, at most 200 characters.
fn excerpt(text: &str) -> String {
    text.trim().lines().next().unwrap_or_default().chars().take(200).collect()
}

/// Returns true if a request with this status may succeed later.
pub(super) const fn is_retryable(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502..=504)
}

/// Errors of requests to a gateway.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is not a gateway's.
    #[error("{found:?} is not a gateway's address. An address looks like http://127.0.0.1:8080")]
    Address {
        /// The given address.
        found: String,
    },
    /// There is no connection to the gateway: nothing listens at the address, or the network is down.
    #[error("no connection to {url}")]
    Unreachable {
        /// The gateway's address.
        url: String,
        /// The network's error.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The credential is missing or does not suffice (status 401 or 403).
    #[error("not authorised: {0}")]
    Unauthorised(Problem),
    /// The gateway refuses the request. The same request will never succeed.
    #[error("refused: {0}")]
    Refused(Problem),
    /// The gateway can't process the request at the moment.
    #[error("the gateway is unavailable: {problem}")]
    Unavailable {
        /// The last answer.
        problem: Problem,
        /// Delay that the gateway asks for.
        retry_after: Option<Duration>,
    },
    /// The answer does not have the promised form.
    #[error("the answer to {what} is not valid; check that the address is a gateway's")]
    Answer {
        /// The request.
        what: &'static str,
        /// The parser's error.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl ClientError {
    /// Returns the error that corresponds to an answer's status.
    pub(super) fn of_answer(problem: Problem, retry_after: Option<Duration>) -> Self {
        match problem.status {
            401 | 403 => Self::Unauthorised(problem),
            status if is_retryable(status) => Self::Unavailable { problem, retry_after },
            _ => Self::Refused(problem),
        }
    }

    /// Returns true if the same request may succeed later.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Unavailable { .. })
    }

    /// Returns the delay that the gateway asks for.
    pub(super) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problem_document_is_read() {
        let body = br#"{"type":"about:blank","title":"Bad","status":400,"detail":"userId","requestId":"r"}"#;
        assert_eq!(Problem::from_body(400, body).to_string(), "userId (request r)");
        assert_eq!(Problem::from_body(502, b"<html>\nx").to_string(), "<html>");
        assert_eq!(Problem::from_body(500, b"").to_string(), "status 500");
        assert_eq!(Problem::from_body(404, b"{}").status, 404);
    }

    #[test]
    fn status_determines_the_error() {
        let of = |status| ClientError::of_answer(Problem { status, ..Problem::default() }, None);
        assert!(matches!(of(401), ClientError::Unauthorised(_)) && !of(403).is_retryable());
        assert!(matches!(of(404), ClientError::Refused(_)) && !of(413).is_retryable());
        assert!(of(429).is_retryable() && of(503).is_retryable());
    }
}
