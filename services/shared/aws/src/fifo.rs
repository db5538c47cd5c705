//! Sends messages to a FIFO queue in batches.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use contract_notifications_v1::{Notification, QueueEntry};
use futures_util::{StreamExt as _, stream};
use shared_ports::PortError;
use shared_telemetry::chain;

use crate::error::port_error;
use crate::message_trace::trace_attributes;
use crate::queues::Queues;

/// Maximum number of messages in a batch
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>).
const BATCH_MESSAGES: usize = 10;
/// Maximum total size of the bodies in a batch, in bytes.
const BATCH_BYTES: usize = 1024 * 1024;
/// Number of batches sent concurrently.
const BATCHES_AT_ONCE: usize = 8;

/// A message of a FIFO queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FifoMessage {
    /// The message group.
    pub group: String,
    /// The deduplication ID.
    pub deduplication_id: String,
    /// The body.
    pub body: String,
}

impl From<Notification> for FifoMessage {
    /// Makes a message in the user's group, with the notification's id as the deduplication ID.
    fn from(notification: Notification) -> Self {
        Self {
            group: notification.user_id.to_string(),
            deduplication_id: notification.id.to_string(),
            body: QueueEntry::Notification(notification).to_json(),
        }
    }
}

/// Error for a message that SQS refused.
#[derive(Debug, thiserror::Error)]
#[error("the queue refused it: {0}")]
struct Refused(String);

/// Sends messages to the queues of their groups and returns the result of each, in order. A message that SQS refused
/// by itself counts as retryable.
///
/// Up to eight batches are sent concurrently, so messages of one group may overtake each other.
pub async fn send_fifo(
    client: &Client,
    queues: &Queues,
    operation: &'static str,
    messages: Vec<FifoMessage>,
) -> Vec<Result<(), PortError>> {
    let (places, batches) = by_queue(queues, messages);
    let send_to = |(queue, batch)| send_batch(client, queues.url(queue), operation, batch);
    let results = stream::iter(batches).map(send_to).buffered(BATCHES_AT_ONCE).collect::<Vec<_>>().await;
    let mut outcomes: Vec<_> = places.into_iter().zip(results.into_iter().flatten()).collect();
    outcomes.sort_by_key(|(place, _)| *place);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Splits messages into batches of one queue each. Returns the messages' places in the order of the batches, and the
/// batches with the index of their queue.
fn by_queue(queues: &Queues, messages: Vec<FifoMessage>) -> (Vec<usize>, Vec<(usize, Vec<FifoMessage>)>) {
    let mut of_queue: Vec<Vec<(usize, FifoMessage)>> = vec![Vec::new(); queues.count().get()];
    for (place, message) in messages.into_iter().enumerate() {
        of_queue[queues.home(&message.group)].push((place, message));
    }
    let (mut places, mut all) = (Vec::new(), Vec::new());
    for (queue, messages) in of_queue.into_iter().enumerate() {
        let (own, messages): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
        places.extend(own);
        all.extend(batches(messages).into_iter().map(|batch| (queue, batch)));
    }
    (places, all)
}

/// Splits messages into batches within the limits of a request.
fn batches(messages: Vec<FifoMessage>) -> Vec<Vec<FifoMessage>> {
    let mut batches: Vec<Vec<FifoMessage>> = Vec::new();
    let mut bytes = 0;
    for message in messages {
        let size = message.body.len();
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH_MESSAGES && bytes + size <= BATCH_BYTES => {
                bytes += size;
                batch.push(message);
            }
            _ => {
                bytes = size;
                batches.push(vec![message]);
            }
        }
    }
    batches
}

async fn send_batch(
    client: &Client,
    url: &str,
    operation: &'static str,
    batch: Vec<FifoMessage>,
) -> Vec<Result<(), PortError>> {
    let count = batch.len();
    let mut outcomes: Vec<_> = (0..count).map(|_| Ok(())).collect();
    let mut request = client.send_message_batch().queue_url(url);
    for (at, message) in batch.into_iter().enumerate() {
        let entry = SendMessageBatchRequestEntry::builder()
            .id(at.to_string())
            .message_group_id(message.group)
            .message_deduplication_id(message.deduplication_id)
            .message_body(message.body)
            .set_message_system_attributes(trace_attributes())
            .build();
        match entry {
            Ok(entry) => request = request.entries(entry),
            Err(error) => outcomes[at] = Err(PortError::permanent(operation, error)),
        }
    }
    match request.send().await {
        Ok(answer) => {
            for failed in answer.failed {
                let at = failed.id.parse::<usize>().ok();
                if let Some(outcome) = at.and_then(|at| outcomes.get_mut(at)) {
                    *outcome = Err(PortError::retryable(operation, Refused(failed.code)));
                }
            }
        }
        Err(error) => {
            let error = port_error(operation, error);
            let text = chain(&error);
            let again = || {
                let cause = Refused(text.clone());
                if error.is_retryable() {
                    PortError::retryable(operation, cause)
                } else {
                    PortError::permanent(operation, cause)
                }
            };
            for outcome in &mut outcomes {
                *outcome = Err(again());
            }
        }
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_has_messages_of_one_queue() {
        use crate::environment::Value as _;

        let queues = Queues::parse("q0,q1").unwrap();
        let message = |group: &str| FifoMessage {
            group: group.to_owned(),
            deduplication_id: "d".to_owned(),
            body: String::new(),
        };
        let (places, batches) = by_queue(&queues, ["alice", "bob", "alice", "user-1"].map(message).to_vec());
        let groups =
            |messages: &[FifoMessage]| messages.iter().map(|one| one.group.clone()).collect::<Vec<_>>();
        let batches: Vec<_> = batches.iter().map(|(queue, messages)| (*queue, groups(messages))).collect();
        assert_eq!(places, [1, 3, 0, 2]);
        let expected = [(0, ["bob", "user-1"]), (1, ["alice", "alice"])];
        assert_eq!(batches, expected.map(|(queue, groups)| (queue, groups.map(str::to_owned).to_vec())));
    }

    #[test]
    fn batches_keep_both_limits() {
        let message = |bytes: usize| FifoMessage {
            group: "g".to_owned(),
            deduplication_id: "d".to_owned(),
            body: "x".repeat(bytes),
        };
        let sizes = |bytes: &[usize]| {
            let messages = bytes.iter().map(|bytes| message(*bytes)).collect();
            batches(messages).iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert!(sizes(&[]).is_empty());
        assert_eq!(sizes(&[1; 25]), [10, 10, 5]);
        assert_eq!(sizes(&[BATCH_BYTES, 1]), [1, 1]);
        assert_eq!(sizes(&[BATCH_BYTES / 2; 5]), [2, 2, 1]);
    }
}
