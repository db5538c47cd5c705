//! What can go wrong between client and gateway.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A gateway's own account of an error: a problem document (RFC 9457), or what can be made of an answer
/// that is none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Problem {
    /// The HTTP status; 0 when the document does not say.
    pub status: u16,
    /// What sort of error it is.
    pub title: String,
    /// What exactly is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Names the request in the gateway's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// Reads the body of an answer with this status.
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

    /// Whether the same request may succeed later.
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

/// The first line of foreign text, cut to a length fit for a message.
fn excerpt(text: &str) -> String {
    text.trim().lines().next().unwrap_or_default().chars().take(200).collect()
}

/// Statuses of trouble that may pass.
pub(super) const fn is_retryable(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502..=504)
}

/// Why the gateway did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Not the address of a gateway.
    #[error("{found:?} is not a gateway's address; it looks like http://127.0.0.1:8080")]
    Address {
        /// What was given.
        found: String,
    },
    /// No answer: nobody listens there, or the network is down.
    #[error("{url} does not answer")]
    Unreachable {
        /// The gateway's address.
        url: String,
        /// What the network reported.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// 401 or 403: the credential is missing or not good enough.
    #[error("not authorised: {0}")]
    Unauthorised(Problem),
    /// Another refusal: the same request will never succeed.
    #[error("refused: {0}")]
    Refused(Problem),
    /// The gateway can't do it at the moment.
    #[error("the gateway is not able to at the moment: {problem}")]
    Unavailable {
        /// The last answer.
        problem: Problem,
        /// How long it asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// An answer that is not what the interface promises.
    #[error("the answer to {what} is not understood")]
    Answer {
        /// What was asked.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl ClientError {
    /// The error that an answer of this status is.
    pub(super) fn of_answer(problem: Problem, retry_after: Option<Duration>) -> Self {
        match problem.status {
            401 | 403 => Self::Unauthorised(problem),
            status if is_retryable(status) => Self::Unavailable { problem, retry_after },
            _ => Self::Refused(problem),
        }
    }

    /// Whether trying again may help.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Unavailable { .. })
    }

    /// How long the gateway asked to be left alone.
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
    fn a_problem_document_says_what_is_wrong() {
        let body = br#"{"type":"about:blank","title":"Bad","status":400,"detail":"userId","requestId":"r"}"#;
        assert_eq!(Problem::from_body(400, body).to_string(), "userId (request r)");
        assert_eq!(Problem::from_body(502, b"<html>\nx").to_string(), "<html>");
        assert_eq!(Problem::from_body(500, b"").to_string(), "status 500");
        assert_eq!(Problem::from_body(404, b"{}").status, 404);
    }

    #[test]
    fn statuses_are_told_apart() {
        let of = |status| ClientError::of_answer(Problem { status, ..Problem::default() }, None);
        assert!(matches!(of(401), ClientError::Unauthorised(_)) && !of(403).is_retryable());
        assert!(matches!(of(404), ClientError::Refused(_)) && !of(413).is_retryable());
        assert!(of(429).is_retryable() && of(503).is_retryable());
    }
}
