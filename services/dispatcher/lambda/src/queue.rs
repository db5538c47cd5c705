//! The notifications queues and their dead-letter queues in SQS.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, MessageAttributeValue};
use contract_deployment_v1::{DEAD_LETTER_ID, DEAD_LETTER_REASON, DEAD_LETTER_SENT_AT};
use contract_notifications_v1::{FanOut, Notification, QueueEntry, Replay, Sequence, UserId};
use dispatcher::ports::{
    BroadcastQueue, DeadLetter, DeadLetters, ForwardedEntry, Homes, NotificationQueue, Redelivery,
    ReplayQueue,
};
use shared_aws::{FifoMessage, Queues, port_error, send_fifo, trace_attributes};
use shared_ports::PortError;
use uuid::Uuid;

use crate::schedule::ReplaySchedule;

/// Maximum number of entries in a batch request
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html>).
const BATCH_ENTRIES: usize = 10;
/// Maximum number of characters in a dead letter's reason.
const REASON_CHARACTERS: usize = 1_024;

/// Sends to the notifications queues, and postpones the messages of one of them.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    queues: Queues,
    source: usize,
    schedule: Option<ReplaySchedule>,
}

impl SqsQueue {
    /// Uses these queues, and postpones messages of the first.
    pub fn new(client: &Client, queues: impl Into<Queues>) -> Self {
        Self { client: client.clone(), queues: queues.into(), source: 0, schedule: None }
    }

    /// Postpones messages of the queue with this index.
    #[must_use]
    pub fn with_source(self, source: usize) -> Self {
        Self { source, ..self }
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
        let (group, id) = (entry.group(), Uuid::new_v4().to_string());
        self.put_as(operation, &group, &id, entry.to_json()).await
    }

    async fn put_as(
        &self,
        operation: &'static str,
        group: &str,
        deduplication_id: &str,
        body: String,
    ) -> Result<(), PortError> {
        self.client
            .send_message()
            .queue_url(self.queues.of(group))
            .message_group_id(group)
            .message_deduplication_id(deduplication_id)
            .message_body(body)
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
        let sent =
            send_fifo(&self.client, &self.queues, "queueing a broadcast's notifications", messages).await;
        sent.into_iter().collect()
    }
}

impl BroadcastQueue for SqsQueue {
    async fn enqueue_rest(&self, rest: FanOut) -> Result<(), PortError> {
        self.put("queueing the rest of a broadcast", QueueEntry::FanOut(rest)).await
    }
}

impl Homes for SqsQueue {
    fn is_home(&self, group: &str) -> bool {
        self.queues.home(group) == self.source
    }

    async fn forward(&self, entry: ForwardedEntry<'_>) -> Result<(), PortError> {
        let ForwardedEntry { group, deduplication_id, body } = entry;
        self.put_as("forwarding an entry", group, deduplication_id, body).await
    }
}

impl Redelivery for SqsQueue {
    async fn postpone(&self, receipts: &[&str], delay: Duration) -> Result<(), PortError> {
        const OPERATION: &str = "changing the visibility of entries";
        let seconds = i32::try_from(delay.as_secs()).unwrap_or(i32::MAX);
        for batch in receipts.chunks(BATCH_ENTRIES) {
            let mut request =
                self.client.change_message_visibility_batch().queue_url(self.queues.url(self.source));
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

/// Sends to the dead-letter queues.
#[derive(Debug, Clone)]
pub struct SqsDeadLetters {
    client: Client,
    queues: Queues,
}

impl SqsDeadLetters {
    /// Uses these queues, in the order of the notifications queues.
    pub fn new(client: &Client, queues: impl Into<Queues>) -> Self {
        Self { client: client.clone(), queues: queues.into() }
    }
}

impl DeadLetters for SqsDeadLetters {
    async fn dead_letter(&self, letter: DeadLetter<'_>) -> Result<(), PortError> {
        const OPERATION: &str = "sending a dead letter";
        let reason: String = letter.reason.chars().filter(|c| is_legal(*c)).take(REASON_CHARACTERS).collect();
        let mut request = self
            .client
            .send_message()
            .queue_url(self.queues.of(letter.group))
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
