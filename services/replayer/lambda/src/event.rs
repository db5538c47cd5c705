//! Batches of DynamoDB stream records, and the response to them
//! (<https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>).

use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use contract_connections_v1::ConnectionKey;
use serde::Deserialize;

/// What the function is invoked with.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Incoming {
    /// Records of the stream of the Connections table.
    Stream(Event),
    /// The schedule, of whose event only the kind matters
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html>).
    Schedule {
        /// Kind of the event.
        #[serde(rename = "detail-type")]
        detail_type: String,
    },
}

/// A stream record of an inserted connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inserted {
    /// The connection's key.
    pub key: ConnectionKey,
    /// The record's sequence number in its stream.
    pub sequence_number: String,
}

/// Returns the inserts among the records of a batch.
///
/// A record that can't be read is logged and left out. It could never succeed, and would block its shard.
pub fn inserted(event: Event) -> Vec<Inserted> {
    event.records.into_iter().filter(|record| record.event_name == "INSERT").filter_map(read).collect()
}

fn read(record: EventRecord) -> Option<Inserted> {
    let sequence_number = record.change.sequence_number.unwrap_or_default();
    match serde_dynamo::from_item(record.change.keys) {
        Ok(key) => Some(Inserted { key, sequence_number }),
        Err(error) => {
            let error = shared_telemetry::chain(&error);
            tracing::error!(record = record.event_id, error, "stream record can't be read");
            None
        }
    }
}

/// Makes the response with the sequence numbers of the failed records. Lambda retries from the first of them.
pub fn response<'a>(failed: impl IntoIterator<Item = &'a str>) -> DynamoDbEventResponse {
    let failure = |sequence_number: &str| {
        let mut failure = DynamoDbBatchItemFailure::default();
        failure.item_identifier = Some(sequence_number.to_owned());
        failure
    };
    let mut response = DynamoDbEventResponse::default();
    response.batch_item_failures = failed.into_iter().map(failure).collect();
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: &str = include_str!("../events/stream-batch.json");
    const SCHEDULE: &str = include_str!("../events/schedule.json");

    #[test]
    fn stream_and_schedule_are_told_apart() {
        assert!(
            matches!(serde_json::from_str(BATCH).unwrap(), Incoming::Stream(event) if event.records.len() == 4)
        );
        assert!(matches!(serde_json::from_str(SCHEDULE).unwrap(), Incoming::Schedule { .. }));
    }

    #[test]
    fn only_inserts_are_read() {
        let event: Event = serde_json::from_str(BATCH).unwrap();
        assert_eq!(event.records.len(), 4);
        let inserted = inserted(event);
        let read: Vec<_> = inserted
            .iter()
            .map(|i| (i.key.user_id.as_str(), i.key.connection_id.as_str(), i.sequence_number.as_str()))
            .collect();
        assert_eq!(
            read,
            [
                ("alice", "L0SM9cOFvHcCIhw=", "4421584500000000017450439091"),
                ("bob", "L0SNBeOqPHcCJWQ=", "4421584500000000017450439094")
            ]
        );
    }

    #[test]
    fn failures_are_reported_in_lambda_format() {
        let json = serde_json::to_string(&response(["17"])).unwrap();
        assert_eq!(json, r#"{"batchItemFailures":[{"itemIdentifier":"17"}]}"#);
    }
}
