//! Parsers of requests, for the fuzz targets in services/verification/fuzz alone.

use auth_token::Handshake;
use axum::http::{HeaderMap, Uri};
use contract_notifications_v1::{MAX_PAYLOAD_DEPTH, Sequence, Timestamp, UnknownFields};
use tidings_store::{Accepted, Submission};

use super::entries::{Answer, Entries, Rules, Slot};
use super::problem::Problem;
use super::{management, upgrade};

fn detail(problem: Problem) -> String {
    problem.detail.into_owned()
}

/// Parses the handshake of a WebSocket request.
///
/// # Errors
/// The detail of the problem that the client gets.
pub fn handshake(uri: &Uri, headers: &HeaderMap) -> Result<Handshake, String> {
    upgrade::handshake(uri, headers).map_err(detail)
}

/// Returns the connection id in a path of the management API.
///
/// # Errors
/// The detail of the problem that the caller gets.
pub fn connection_id(path: &str) -> Result<String, String> {
    management::id(path).map(|id| id.as_str().to_owned()).map_err(detail)
}

/// A body with many notifications, parsed and answered.
#[derive(Debug)]
pub struct Intake {
    /// For each entry, the submission or the reason for refusing it.
    pub entries: Vec<Result<Submission, String>>,
    /// The answer if every submission is accepted.
    pub answer: Vec<u8>,
}

/// Parses a body with many notifications, as lines or as an array, and answers it.
///
/// # Errors
/// The detail of the problem if the body as a whole is refused.
pub fn intake(body: &str, lines: bool, summary: bool, now: Timestamp) -> Result<Intake, String> {
    let rules = Rules { unknown_fields: UnknownFields::Refuse, payload_depth: MAX_PAYLOAD_DEPTH };
    let mut entries =
        if lines { Entries::lines(body, rules) } else { Entries::array(body, rules).map_err(detail)? };
    let mut answer = Answer::new(summary, "request");
    let mut all = Vec::new();
    let mut next = 0;
    while let Some(chunk) = entries.chunk(|| now, |_| Ok(())) {
        let accepted = chunk.submissions.iter().map(|_| {
            next += 1;
            Accepted { sequence: Sequence::new(next), duplicate: false }
        });
        let accepted = Ok(accepted.collect());
        let mut submissions = chunk.submissions.into_iter();
        all.extend(chunk.slots.iter().map(|slot| match slot {
            Slot::Submitted(_) => submissions.next().ok_or_else(|| "a submission is missing".to_owned()),
            Slot::Refused(problem) => Err(problem.detail.to_string()),
        }));
        answer.add(chunk.slots, &accepted);
    }
    Ok(Intake { entries: all, answer: answer.finish() })
}
