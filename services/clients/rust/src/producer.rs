//! Sending notifications, one or many.

use std::sync::Arc;

use contract_notifications_v1::{Notification, NotificationId, Sequence};
use serde::{Deserialize, Serialize};

use super::error::{ClientError, Problem};
use super::gateway::Gateway;

/// Most notifications in one request of [`Gateway::send_many`].
pub const CHUNK_ENTRIES: usize = 500;

/// Largest size of a request of [`Gateway::send_many`] in bytes, unless one notification alone is larger.
pub const CHUNK_BYTES: usize = 256 * 1024;

/// A notification that the gateway accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The notification's id, which is the producer's idempotency key.
    pub id: NotificationId,
    /// Position in the user's order.
    pub sequence: Sequence,
    /// True if the gateway had accepted this id before. It is not delivered again.
    #[serde(default)]
    pub duplicate: bool,
}

/// Outcome of one notification of [`Gateway::send_many`].
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The gateway accepted the notification.
    Accepted(Accepted),
    /// The gateway refused the notification.
    Refused(Problem),
    /// The gateway did not answer in spite of retries, so the notification may be accepted or not. Sending it
    /// again with the same id is safe.
    Unknown(Arc<ClientError>),
}

/// An entry of the answer to a request with many notifications.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Refused { error: Problem },
    Accepted(Accepted),
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<Entry>,
}

#[derive(Debug, thiserror::Error)]
#[error("it has {found} results for {sent} notifications")]
struct WrongCount {
    found: usize,
    sent: usize,
}

impl Gateway {
    /// Sends one notification. Retries keep the id, so the gateway accepts it once.
    pub async fn send(&self, notification: &Notification) -> Result<Accepted, ClientError> {
        let body = line(notification);
        self.json("the notification", |gateway| {
            gateway.post("/v1/notifications").header("content-type", "application/json").body(body.clone())
        })
        .await
    }

    /// Sends many notifications and returns the outcome of each, in the same order.
    ///
    /// Sends as many requests as needed, one after the other, so each user's order is kept. After a request
    /// that fails in spite of retries, or is refused as a whole, it sends no more. Calls `progress` after
    /// each request with the request's number of notifications.
    pub async fn send_many(
        &self,
        notifications: &[Notification],
        mut progress: impl FnMut(usize),
    ) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(notifications.len());
        while outcomes.len() < notifications.len() {
            let (chunk, lines) = chunk(&notifications[outcomes.len()..]);
            let (results, failure) = self.send_chunk(&lines).await;
            progress(chunk);
            outcomes.extend(results);
            if let Some(failure) = failure {
                outcomes.resize_with(notifications.len(), || Outcome::Unknown(Arc::clone(&failure)));
            }
        }
        outcomes
    }

    /// Sends one request's notifications until each has an outcome or the attempts are used up.
    async fn send_chunk(&self, lines: &[String]) -> (Vec<Outcome>, Option<Arc<ClientError>>) {
        let mut outcomes: Vec<Option<Outcome>> = vec![None; lines.len()];
        let mut pending: Vec<usize> = (0..lines.len()).collect();
        let mut retries = self.retries();
        let failure = loop {
            let (error, least) = match self.post_lines(lines, &pending).await {
                Ok(entries) => match record_results(&mut outcomes, &mut pending, entries) {
                    None => break None,
                    Some(problem) => (ClientError::Unavailable { problem, retry_after: None }, None),
                },
                Err(error) => {
                    let least = error.retry_after();
                    (error, least)
                }
            };
            if !(error.is_retryable() && retries.wait_at_least(least).await) {
                break Some(Arc::new(error));
            }
        };
        let outcomes = outcomes.into_iter().map(|outcome| match (outcome, &failure) {
            (Some(outcome), _) => outcome,
            (None, Some(failure)) => Outcome::Unknown(Arc::clone(failure)),
            // Unreachable: without a failure every entry has an outcome.
            (None, None) => Outcome::Refused(Problem::default()),
        });
        (outcomes.collect(), failure)
    }

    async fn post_lines(&self, lines: &[String], pending: &[usize]) -> Result<Vec<Entry>, ClientError> {
        let size = pending.iter().map(|&index| lines[index].len() + 1).sum();
        let mut body = String::with_capacity(size);
        for &index in pending {
            body.push_str(&lines[index]);
            body.push('\n');
        }
        let body = bytes::Bytes::from(body);
        let answer = self
            .once(&|gateway: &Self| {
                gateway
                    .post("/v1/notifications")
                    .header("content-type", "application/x-ndjson")
                    .body(body.clone())
            })
            .await?;
        let wrong = |source| ClientError::Answer { what: "the notifications", source };
        let Answer { results } = serde_json::from_slice(&answer).map_err(|error| wrong(error.into()))?;
        if results.len() != pending.len() {
            return Err(wrong(WrongCount { found: results.len(), sent: pending.len() }.into()));
        }
        Ok(results)
    }
}

/// Records results. Entries to retry stay pending, and the problem of one of them is returned.
fn record_results(
    outcomes: &mut [Option<Outcome>],
    pending: &mut Vec<usize>,
    entries: Vec<Entry>,
) -> Option<Problem> {
    let mut problem = None;
    let mut retry = Vec::new();
    for (index, entry) in pending.drain(..).zip(entries) {
        match entry {
            Entry::Accepted(accepted) => outcomes[index] = Some(Outcome::Accepted(accepted)),
            Entry::Refused { error } if error.is_retryable() => {
                retry.push(index);
                problem = Some(error);
            }
            Entry::Refused { error } => outcomes[index] = Some(Outcome::Refused(error)),
        }
    }
    *pending = retry;
    problem
}

/// Returns the notifications from the front that fit one request: their number and their lines.
fn chunk(notifications: &[Notification]) -> (usize, Vec<String>) {
    let mut lines: Vec<String> = Vec::new();
    let mut bytes = 0;
    for notification in notifications.iter().take(CHUNK_ENTRIES) {
        let line = line(notification);
        bytes += line.len() + 1;
        if bytes > CHUNK_BYTES && !lines.is_empty() {
            break;
        }
        lines.push(line);
    }
    (lines.len(), lines)
}

fn line(notification: &Notification) -> String {
    // Strings, numbers and checked JSON always serialize. A payload keeps its bytes, so line breaks between
    // its tokens become blanks: one line is one notification.
    let mut text = serde_json::to_string(notification).unwrap_or_default();
    if text.contains(['\n', '\r']) {
        text = text.replace(['\n', '\r'], " ");
    }
    text
}
