//! Calls to SQS in its JSON protocol
//! (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html>).

use std::collections::HashSet;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Url;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use shared_ports::{Clock as _, SystemClock};
use shared_retry::RetryPolicy;
use tidings_client::{CertificateAuthorities, http_client};
use tidings_identity::sigv4::{AwsCredentials, RequestParts, SigningScope, sign};

/// Delays between attempts of a call.
const RETRY: RetryPolicy = RetryPolicy { initial: Duration::from_millis(100), max: Duration::from_secs(2) };
/// Attempts of a call: enough for a throttled one, few enough for a person to wait.
const ATTEMPTS: u32 = 5;
/// Time for which a receive waits for a message. A receive that does not wait may miss messages
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html>).
const WAIT_SECONDS: u32 = 1;

/// Errors of calls to a queue.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueueError {
    /// Nothing answers at the address.
    #[error("no connection to {url}")]
    Unreachable {
        /// The address.
        url: String,
        /// The network's error.
        #[source]
        source: reqwest::Error,
    },
    /// The credentials are wrong, or lack a permission.
    #[error("not authorised to {action}: {reason}")]
    NotAuthorised {
        /// The call, as policies name it.
        action: &'static str,
        /// The answer.
        reason: String,
    },
    /// SQS is throttled or failing.
    #[error("SQS can't do {action} at the moment: {reason}")]
    Unavailable {
        /// The call.
        action: &'static str,
        /// The answer.
        reason: String,
    },
    /// SQS refuses the call.
    #[error("SQS refuses {action}: {reason}")]
    Refused {
        /// The call.
        action: &'static str,
        /// The answer.
        reason: String,
    },
}

/// A queue by its URL.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    /// The URL.
    pub(crate) url: String,
}

/// An entry of a batch: the parameters of its call, without an id.
pub(crate) type BatchEntry = Map<String, Value>;

/// The refusal of an entry of a batch, or `None` for one that succeeded.
pub(crate) type BatchOutcome = Option<String>;

/// A client of SQS.
#[derive(Debug)]
pub(crate) struct Sqs {
    http: reqwest::Client,
    endpoint: Url,
    region: String,
    credentials: AwsCredentials,
}

/// The error in an answer. Its code may have a namespace before `#`.
#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(default, rename = "__type")]
    code: String,
    #[serde(default, alias = "Message")]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Failed {
    id: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchAnswer {
    #[serde(default)]
    failed: Vec<Failed>,
}

impl Sqs {
    /// Makes a client for the queues of an endpoint: that in `AWS_ENDPOINT_URL_SQS` or `AWS_ENDPOINT_URL`, or the
    /// one of `queue`.
    pub(crate) fn new(
        queue: &Queue,
        region: String,
        credentials: AwsCredentials,
        trusted: Option<&CertificateAuthorities>,
    ) -> anyhow::Result<Self> {
        let given = ["AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|url| !url.is_empty()));
        let address = given.as_ref().unwrap_or(&queue.url);
        let mut endpoint =
            Url::parse(address).with_context(|| format!("{address:?} is not the address of a queue"))?;
        anyhow::ensure!(endpoint.has_host(), "{address:?} is not the address of a queue");
        endpoint.set_path("/");
        endpoint.set_query(None);
        let http = http_client(&endpoint, trusted)?;
        Ok(Self { http, endpoint, region, credentials })
    }

    /// Returns attributes of a queue, of which absent ones are missing.
    pub(crate) async fn attributes(
        &self,
        queue: &Queue,
        names: &[&str],
    ) -> Result<Map<String, Value>, QueueError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            #[serde(default)]
            attributes: Map<String, Value>,
        }
        let parameters = json!({ "QueueUrl": queue.url, "AttributeNames": names });
        let answer: Answer = self.call("sqs:GetQueueAttributes", &parameters).await?;
        Ok(answer.attributes)
    }

    /// Receives up to ten messages with all attributes, and makes them invisible for a time. None means that the
    /// queue has no visible ones, apart from those of groups with invisible ones.
    pub(crate) async fn receive<M: DeserializeOwned>(
        &self,
        queue: &Queue,
        invisible: Duration,
    ) -> Result<Vec<M>, QueueError> {
        #[derive(Deserialize)]
        #[serde(bound = "M: DeserializeOwned", rename_all = "PascalCase")]
        struct Answer<M> {
            messages: Option<Vec<M>>,
        }
        let parameters = json!({
            "QueueUrl": queue.url,
            "MaxNumberOfMessages": 10,
            "VisibilityTimeout": invisible.as_secs(),
            "WaitTimeSeconds": WAIT_SECONDS,
            "AttributeNames": ["All"],
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        });
        let answer: Answer<M> = self.call("sqs:ReceiveMessage", &parameters).await?;
        Ok(answer.messages.unwrap_or_default())
    }

    /// Sends up to ten messages of different groups.
    pub(crate) async fn send(
        &self,
        queue: &Queue,
        messages: Vec<BatchEntry>,
    ) -> Result<Vec<BatchOutcome>, QueueError> {
        self.batch("sqs:SendMessage", queue, messages).await
    }

    /// Deletes up to ten messages by their receipts.
    pub(crate) async fn delete(
        &self,
        queue: &Queue,
        receipts: &[&str],
    ) -> Result<Vec<BatchOutcome>, QueueError> {
        let entries = receipts.iter().map(|receipt| entry(&json!({ "ReceiptHandle": receipt })));
        self.batch("sqs:DeleteMessage", queue, entries.collect()).await
    }

    /// Makes up to ten messages visible again after a time.
    pub(crate) async fn release(
        &self,
        queue: &Queue,
        receipts: &[&str],
        after: Duration,
    ) -> Result<Vec<BatchOutcome>, QueueError> {
        let change = |receipt| json!({ "ReceiptHandle": receipt, "VisibilityTimeout": after.as_secs() });
        let entries = receipts.iter().map(|receipt| entry(&change(receipt)));
        self.batch("sqs:ChangeMessageVisibility", queue, entries.collect()).await
    }

    /// Calls the batch form of an action and returns the outcome of each entry. Entries that SQS could not do for
    /// reasons of its own are tried again.
    async fn batch(
        &self,
        action: &'static str,
        queue: &Queue,
        mut entries: Vec<BatchEntry>,
    ) -> Result<Vec<BatchOutcome>, QueueError> {
        let mut outcomes = vec![None; entries.len()];
        let mut rest: HashSet<usize> = (0..entries.len()).collect();
        for (at, entry) in entries.iter_mut().enumerate() {
            entry.insert("Id".to_owned(), at.to_string().into());
        }
        for attempt in 0..ATTEMPTS {
            let chosen: Vec<_> = entries
                .iter()
                .enumerate()
                .filter(|(at, _)| rest.contains(at))
                .map(|(_, entry)| entry)
                .collect();
            let parameters = json!({ "QueueUrl": queue.url, "Entries": chosen });
            let answer: BatchAnswer = self.call_as(action, "Batch", &parameters).await?;
            rest.clear();
            for failed in answer.failed {
                let Some((at, outcome)) =
                    failed.id.parse().ok().and_then(|at: usize| Some((at, outcomes.get_mut(at)?)))
                else {
                    continue;
                };
                if is_retryable(500, &failed.code) && attempt + 1 < ATTEMPTS {
                    rest.insert(at);
                } else {
                    *outcome = Some(format!("{} {}", failed.code, failed.message).trim().to_owned());
                }
            }
            if rest.is_empty() {
                break;
            }
            tokio::time::sleep(RETRY.delay(attempt)).await;
        }
        Ok(outcomes)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        action: &'static str,
        parameters: &impl Serialize,
    ) -> Result<T, QueueError> {
        self.call_as(action, "", parameters).await
    }

    /// Calls an action, whose name ends with `form`, until it is answered for good.
    async fn call_as<T: DeserializeOwned>(
        &self,
        action: &'static str,
        form: &str,
        parameters: &impl Serialize,
    ) -> Result<T, QueueError> {
        let operation = format!("AmazonSQS.{}{form}", action.trim_start_matches("sqs:"));
        let refused = |error: serde_json::Error| QueueError::Refused { action, reason: error.to_string() };
        let body = serde_json::to_vec(parameters).map_err(refused)?;
        let mut attempt = 0;
        loop {
            let error = match self.attempt(action, &operation, body.clone()).await {
                Ok(answer) => return serde_json::from_slice(&answer).map_err(refused),
                Err(error) => error,
            };
            attempt += 1;
            let again = matches!(error, QueueError::Unavailable { .. } | QueueError::Unreachable { .. });
            if !again || attempt == ATTEMPTS {
                return Err(error);
            }
            tokio::time::sleep(RETRY.delay(attempt)).await;
        }
    }

    async fn attempt(
        &self,
        action: &'static str,
        operation: &str,
        body: Vec<u8>,
    ) -> Result<Vec<u8>, QueueError> {
        let host = match (self.endpoint.host_str().unwrap_or_default(), self.endpoint.port()) {
            (host, None) => host.to_owned(),
            (host, Some(port)) => format!("{host}:{port}"),
        };
        let headers = [
            ("host", host.as_str()),
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", operation),
        ];
        let parts = RequestParts {
            method: "POST",
            path: "/",
            query: "",
            headers: headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect(),
        };
        let scope = SigningScope { region: &self.region, service: "sqs" };
        let hash = Sha256::digest(&body).into();
        let mut request = self.http.post(self.endpoint.clone()).body(body);
        for (name, value) in &headers[1..] {
            request = request.header(*name, *value);
        }
        for (name, value) in sign(&self.credentials, scope, &parts, &hash, SystemClock.now()) {
            request = request.header(name, value);
        }
        let unreachable = |source| QueueError::Unreachable { url: self.endpoint.to_string(), source };
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(unreachable)?;
        if status.is_success() { Ok(body.into()) } else { Err(refusal(action, status.as_u16(), &body)) }
    }
}

fn entry(value: &Value) -> BatchEntry {
    value.as_object().cloned().unwrap_or_default()
}

/// Returns true if a later attempt may succeed
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html>).
fn is_retryable(status: u16, code: &str) -> bool {
    let is_throttled = code.contains("Throttl") || code.contains("ServiceUnavailable");
    is_throttled || (status >= 500 && (code.is_empty() || code.contains("Internal")))
}

/// Returns the error that an answer reports.
fn refusal(action: &'static str, status: u16, body: &[u8]) -> QueueError {
    let Refusal { code, message } = serde_json::from_slice(body).unwrap_or_default();
    let code = code.rsplit_once('#').map_or(code.as_str(), |(_, code)| code);
    let reason = match (code, message.as_str()) {
        ("", "") => format!("status {status}"),
        (code, "") => code.to_owned(),
        ("", message) => message.to_owned(),
        (code, message) => format!("{code}, {message}"),
    };
    let wrong_credentials =
        ["AccessDenied", "ClientToken", "Signature", "AuthFailure", "UnrecognizedClient", "ExpiredToken"];
    if is_retryable(status, code) || status == 429 || status >= 500 {
        QueueError::Unavailable { action, reason }
    } else if status == 403 || wrong_credentials.iter().any(|part| code.contains(part)) {
        QueueError::NotAuthorised { action, reason }
    } else {
        QueueError::Refused { action, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_classified() {
        let of = |status, body: &str| refusal("sqs:SendMessage", status, body.as_bytes()).to_string();
        assert_eq!(
            of(400, r#"{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "gone"}"#),
            "SQS refuses sqs:SendMessage: QueueDoesNotExist, gone"
        );
        assert!(
            of(400, r#"{"__type": "com.amazon.coral.service#AccessDeniedException"}"#)
                .starts_with("not auth")
        );
        assert!(
            of(403, r#"{"__type": "InvalidClientTokenId", "Message": "no"}"#).starts_with("not authorised")
        );
        assert!(of(400, r#"{"__type": "RequestThrottled"}"#).contains("at the moment"));
        assert!(of(400, r#"{"__type": "ThrottlingException"}"#).contains("at the moment"));
        assert_eq!(of(502, "<html>"), "SQS can't do sqs:SendMessage at the moment: status 502");
    }
}
