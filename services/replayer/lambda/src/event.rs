//! Batches of stream records as Lambda gets them, and the answer to them
//! (<https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>).

use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use contract_connections_v1::ConnectionKey;

/// A connection whose row was inserted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inserted {
    /// Which connection.
    pub key: ConnectionKey,
    /// Names the record in its stream.
    pub sequence_number: String,
}

/// The inserts among the records of a batch.
///
/// A record that can't be read is left out: it could never succeed, and would hold up all behind it in its
/// shard.
pub fn inserted(event: Event) -> Vec<Inserted> {
    event.records.into_iter().filter(|record| record.event_name == "INSERT").filter_map(read).collect()
}

fn read(record: EventRecord) -> Option<Inserted> {
    let sequence_number = record.change.sequence_number.unwrap_or_default();
    match serde_dynamo::from_item(record.change.keys) {
        Ok(key) => Some(Inserted { key, sequence_number }),
        Err(error) => {
            let error = shared_telemetry::chain(&error);
            tracing::error!(record = record.event_id, error, "a stream record can't be read");
            None
        }
    }
}

/// The answer that names the records that failed; Lambda goes on from the first of them.
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

    #[test]
    fn inserts_are_read_and_the_rest_is_not() {
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
    fn failures_are_named_as_lambda_reads_them() {
        let json = serde_json::to_string(&response(["17"])).unwrap();
        assert_eq!(json, r#"{"batchItemFailures":[{"itemIdentifier":"17"}]}"#);
    }
}
