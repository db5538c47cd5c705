//! The notifications queue and its dead-letter queue in SQS.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, MessageAttributeValue};
use contract_deployment_v1::{DEAD_LETTER_ID, DEAD_LETTER_REASON, DEAD_LETTER_SENT_AT};
use contract_notifications_v1::{FanOut, Notification, QueueEntry, Replay, Sequence, UserId};
use dispatcher::ports::{
    BroadcastQueue, DeadLetter, DeadLetters, NotificationQueue, Redelivery, ReplayQueue,
};
use shared_aws::{FifoMessage, port_error, send_fifo, trace_attributes};
use shared_ports::PortError;
use uuid::Uuid;

use crate::schedule::ReplaySchedule;

/// Maximum number of entries in a batch request
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html>).
const BATCH_ENTRIES: usize = 10;
/// Maximum number of characters in a dead letter's reason.
const REASON_CHARACTERS: usize = 1_024;

/// Sends to the notifications queue and postpones its messages.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    url: String,
    schedule: Option<ReplaySchedule>,
}

impl SqsQueue {
    /// Uses the queue at this URL.
    pub fn new(client: &Client, url: &str) -> Self {
        Self { client: client.clone(), url: url.to_owned(), schedule: None }
    }

    /// Schedules later replays with rows of a table. Without it, they are queued at once.
    #[must_use]
    pub fn with_schedule(self, schedule: ReplaySchedule) -> Self {
        Self { schedule: Some(schedule), ..self }
    }
}

/// Error for entries of a batch request that SQS refused.
#[derive(Debug, thiserror::Error)]
#[error("{failed} entries failed, the first with code {code}")]
struct BatchError {
    failed: usize,
    code: String,
}

impl SqsQueue {
    /// Queues an entry with a random deduplication ID.
    async fn put(&self, operation: &'static str, entry: QueueEntry) -> Result<(), PortError> {
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_group_id(entry.group())
            .message_deduplication_id(Uuid::new_v4())
            .message_body(entry.to_json())
            .set_message_system_attributes(trace_attributes())
            .send()
            .await
            .map(drop)
            .map_err(|error| port_error(operation, error))
    }
}

impl ReplayQueue for SqsQueue {
    async fn enqueue(&self, replay: Replay) -> Result<(), PortError> {
        self.put("queueing a replay", QueueEntry::Replay(replay)).await
    }

    async fn enqueue_later(&self, user: &UserId) -> Result<(), PortError> {
        match &self.schedule {
            Some(schedule) => schedule.put(user).await,
            None => self.enqueue(Replay { user_id: user.clone(), sequence: Sequence::MAX }).await,
        }
    }
}

impl NotificationQueue for SqsQueue {
    async fn send(&self, notifications: Vec<Notification>) -> Result<(), PortError> {
        let messages = notifications.into_iter().map(FifoMessage::from).collect();
        let sent = send_fifo(&self.client, &self.url, "queueing a broadcast's notifications", messages).await;
        sent.into_iter().collect()
    }
}

impl BroadcastQueue for SqsQueue {
    async fn enqueue_rest(&self, rest: FanOut) -> Result<(), PortError> {
        self.put("queueing the rest of a broadcast", QueueEntry::FanOut(rest)).await
    }
}

impl Redelivery for SqsQueue {
    async fn postpone(&self, receipts: &[&str], delay: Duration) -> Result<(), PortError> {
        const OPERATION: &str = "changing the visibility of entries";
        let seconds = i32::try_from(delay.as_secs()).unwrap_or(i32::MAX);
        for batch in receipts.chunks(BATCH_ENTRIES) {
            let mut request = self.client.change_message_visibility_batch().queue_url(&self.url);
            for (at, receipt) in batch.iter().enumerate() {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(at.to_string())
                    .receipt_handle(*receipt)
                    .visibility_timeout(seconds)
                    .build();
                request = request.entries(entry.map_err(|error| PortError::permanent(OPERATION, error))?);
            }
            let answer = request.send().await.map_err(|error| port_error(OPERATION, error))?;
            if let [first, ..] = answer.failed.as_slice() {
                let error = BatchError { failed: answer.failed.len(), code: first.code.clone() };
                return Err(PortError::retryable(OPERATION, error));
            }
        }
        Ok(())
    }
}

/// Returns true if SQS accepts the character in a message attribute
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>).
fn is_legal(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// Sends to the dead-letter queue.
#[derive(Debug, Clone)]
pub struct SqsDeadLetters {
    client: Client,
    url: String,
}

impl SqsDeadLetters {
    /// Uses the queue at this URL.
    pub fn new(client: &Client, url: &str) -> Self {
        Self { client: client.clone(), url: url.to_owned() }
    }
}

impl DeadLetters for SqsDeadLetters {
    async fn dead_letter(&self, letter: DeadLetter<'_>) -> Result<(), PortError> {
        const OPERATION: &str = "sending a dead letter";
        let reason: String = letter.reason.chars().filter(|c| is_legal(*c)).take(REASON_CHARACTERS).collect();
        let mut request = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_group_id(letter.group)
            .message_deduplication_id(letter.message_id)
            .message_body(letter.body);
        let origin = letter.origin.map(|origin| {
            let sent_at = origin.sent_at.millis().to_string();
            [(DEAD_LETTER_ID, origin.deduplication_id.to_owned()), (DEAD_LETTER_SENT_AT, sent_at)]
        });
        for (name, value) in [(DEAD_LETTER_REASON, reason)].into_iter().chain(origin.into_iter().flatten()) {
            let attribute = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            let attribute = attribute.map_err(|error| PortError::permanent(OPERATION, error))?;
            request = request.message_attributes(name, attribute);
        }
        request.send().await.map(drop).map_err(|error| port_error(OPERATION, error))
    }
}
