//! Batches of SQS messages, and the response to them
//! (<https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>).

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use contract_notifications_v1::{Epoch, Sequence, Timestamp};
use dispatcher::QueueMessage;
use dispatcher::core::batch::ReceivedEntry;
use shared_aws::Queues;

/// The attribute with the time of the first delivery, in milliseconds since the epoch
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>).
const FIRST_RECEIVED_AT: &str = "ApproximateFirstReceiveTimestamp";

/// Error for an event that is not a batch of a FIFO queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {index} of the batch has no valid {field}; the event source must be an SQS FIFO queue")]
pub struct InvalidEvent {
    /// Index of the record.
    pub index: usize,
    /// The missing or invalid field.
    pub field: &'static str,
}

/// Returns the messages of a batch, numbered in this epoch.
///
/// # Errors
/// [`InvalidEvent`] if a record lacks a field that every message of a FIFO queue has.
pub fn messages(event: &SqsEvent, epoch: Epoch) -> Result<Vec<QueueMessage<'_>>, InvalidEvent> {
    event.records.iter().enumerate().map(|(index, record)| message(index, record, epoch)).collect()
}

/// Returns the index of the queue that a batch comes from.
///
/// # Errors
/// [`InvalidEvent`] if it is none of these.
pub fn source(event: &SqsEvent, queues: &Queues) -> Result<usize, InvalidEvent> {
    let unknown = InvalidEvent { index: 0, field: "eventSourceARN" };
    // All records of a batch are of one queue (https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html).
    let arn = event.records.first().and_then(|record| record.event_source_arn.as_deref());
    queues.index_of(arn.unwrap_or_default()).ok_or(unknown)
}

fn message(index: usize, record: &SqsMessage, epoch: Epoch) -> Result<QueueMessage<'_>, InvalidEvent> {
    let missing = |field| move || InvalidEvent { index, field };
    let attribute =
        |field: &'static str| record.attributes.get(field).map(String::as_str).ok_or_else(missing(field));
    let number = |field: &'static str| -> Result<u64, InvalidEvent> {
        attribute(field)?.parse().map_err(|_| InvalidEvent { index, field })
    };
    let sequence: Sequence = attribute("SequenceNumber")?.parse().map_err(|_| missing("SequenceNumber")())?;
    let sequence = epoch.sequence(sequence).ok_or_else(missing("SequenceNumber"))?;
    let entry = ReceivedEntry {
        group: attribute("MessageGroupId")?,
        body: record.body.as_deref().unwrap_or_default(),
        sequence,
        deduplication_id: attribute("MessageDeduplicationId")?,
        sent_at: Timestamp::from_millis(number("SentTimestamp")?),
        receive_count: u32::try_from(number("ApproximateReceiveCount")?).unwrap_or(u32::MAX),
    };
    Ok(QueueMessage {
        entry,
        message_id: record.message_id.as_deref().ok_or_else(missing("messageId"))?,
        receipt: record.receipt_handle.as_deref().ok_or_else(missing("receiptHandle"))?,
        first_received_at: number(FIRST_RECEIVED_AT).ok().map(Timestamp::from_millis),
        trace: record.attributes.get("AWSTraceHeader").map(|header| header.as_str().into()),
    })
}

/// Makes the response with the ids of the failed messages. Lambda deletes the others.
pub fn response<'a>(failed: impl IntoIterator<Item = &'a str>) -> SqsBatchResponse {
    let failure = |message_id: &str| {
        let mut failure = BatchItemFailure::default();
        message_id.clone_into(&mut failure.item_identifier);
        failure
    };
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failed.into_iter().map(failure).collect();
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: &str = include_str!("../events/sqs-batch.json");

    #[test]
    fn batch_is_read() {
        let event: SqsEvent = serde_json::from_str(BATCH).unwrap();
        let batch = messages(&event, Epoch::default()).unwrap();
        assert_eq!(batch.len(), 2);
        let QueueMessage { entry, message_id, receipt, first_received_at, trace } = &batch[0];
        // The sample has none, because it is always old.
        assert_eq!(*first_received_at, None);
        assert_eq!((entry.group, entry.deduplication_id), ("alice", "order-1042-shipped"));
        assert_eq!(entry.sequence.number(), 18_849_496_460_467_696_128);
        assert_eq!((entry.sent_at.millis(), entry.receive_count), (1_767_225_600_000, 1));
        assert!(entry.body.contains("shipped"));
        assert_eq!(*message_id, "059f36b4-87a3-44ab-83d2-661975830a7d");
        assert_eq!(*receipt, "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a");
        assert_eq!(
            trace.as_deref(),
            Some("Root=1-695585c0-3b9d1c2e4f5a6b7c8d9e0f1a;Parent=53995c3f42cd8ad8;Sampled=1")
        );
        assert_eq!(batch[1].trace, None);
    }

    #[test]
    fn time_of_the_first_delivery_is_read() {
        let mut event: SqsEvent = serde_json::from_str(BATCH).unwrap();
        event.records[0].attributes.insert(FIRST_RECEIVED_AT.to_owned(), "1767225600010".to_owned());
        let received = messages(&event, Epoch::default()).unwrap()[0].first_received_at;
        assert_eq!(received, Some(Timestamp::from_millis(1_767_225_600_010)));
    }

    #[test]
    fn epoch_leads_the_sequence() {
        let event: SqsEvent = serde_json::from_str(BATCH).unwrap();
        let later = messages(&event, Epoch::new(1).unwrap()).unwrap()[0].entry.sequence;
        assert_eq!(later.to_string(), "001000000000000000018849496460467696128");
    }

    #[test]
    fn source_is_known_by_its_name() {
        let mut event: SqsEvent = serde_json::from_str(BATCH).unwrap();
        event.records[0].event_source_arn = Some("arn:aws:sqs:eu-west-1:1:q-1.fifo".to_owned());
        let queues = |text| <Queues as shared_aws::Value>::parse(text).unwrap();
        assert_eq!(source(&event, &queues("https://sqs/1/q.fifo,https://sqs/1/q-1.fifo")), Ok(1));
        assert_eq!(source(&event, &queues("https://sqs/1/any.fifo")), Ok(0));
        let unknown = source(&event, &queues("https://sqs/1/a.fifo,https://sqs/1/b.fifo"));
        assert_eq!(unknown.unwrap_err().field, "eventSourceARN");
    }

    #[test]
    fn standard_queue_is_refused() {
        let mut event: SqsEvent = serde_json::from_str(BATCH).unwrap();
        event.records[1].attributes.remove("MessageGroupId");
        let error = messages(&event, Epoch::default()).unwrap_err();
        assert_eq!(error, InvalidEvent { index: 1, field: "MessageGroupId" });
    }

    #[test]
    fn failures_are_reported_in_lambda_format() {
        let json = serde_json::to_string(&response(["a", "b"])).unwrap();
        assert_eq!(json, r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"b"}]}"#);
        assert_eq!(serde_json::to_string(&response([])).unwrap(), r#"{"batchItemFailures":[]}"#);
    }
}
