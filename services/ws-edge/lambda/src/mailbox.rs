//! Deletes acknowledged notifications from the mailbox table on DynamoDB.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, WriteRequest};
use contract_mailbox_v1::attributes;
use contract_notifications_v1::{Sequence, UserId};
use shared_aws::batch_write;
use shared_ports::PortError;
use shared_retry::RetryPolicy;
use ws_edge::ports::Mailbox;

/// The mailbox table.
#[derive(Debug, Clone)]
pub struct DynamoMailbox {
    client: Client,
    table: String,
    retry: RetryPolicy,
}

impl DynamoMailbox {
    /// Creates an adapter for `table`. `retry` sets the delays before the unprocessed part of a batch is
    /// retried.
    pub fn new(client: &Client, table: &str, retry: RetryPolicy) -> Self {
        Self { client: client.clone(), table: table.to_owned(), retry }
    }
}

impl Mailbox for DynamoMailbox {
    async fn acknowledge(&self, user: &UserId, sequences: &[Sequence]) -> Result<(), PortError> {
        const OPERATION: &str = "acknowledging notifications";
        let delete = |sequence: &Sequence| {
            let key = HashMap::from([
                (attributes::USER_ID.to_owned(), AttributeValue::S(user.to_string())),
                (attributes::SEQUENCE.to_owned(), AttributeValue::S(sequence.to_string())),
            ]);
            let delete = DeleteRequest::builder().set_key(Some(key)).build();
            delete.map(|delete| WriteRequest::builder().delete_request(delete).build())
        };
        let writes = sequences.iter().map(delete).collect::<Result<_, _>>();
        let writes = writes.map_err(|error| PortError::permanent(OPERATION, error))?;
        batch_write(&self.client, &self.table, OPERATION, writes, self.retry).await
    }
}
