//! The history table in DynamoDB, as the dispatcher writes it.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use contract_history_v1::MessageRow;
use contract_notifications_v1::UserId;
use dispatcher::count_history_failed;
use dispatcher::ports::{History, HistoryPolicy};
use shared_aws::batch_write;
use shared_ports::PortError;
use shared_retry::RetryPolicy;
use shared_telemetry::{chain, user_hash};

const OPERATION: &str = "writing the history";

/// Writes to the history table in batches. The caller limits the time.
#[derive(Debug, Clone)]
pub struct DynamoHistory {
    client: Client,
    table: String,
    policy: HistoryPolicy,
    retry: RetryPolicy,
}

impl DynamoHistory {
    /// Uses the table with this name. `retry` sets the delays before unprocessed rows of a batch are sent
    /// again.
    pub fn new(client: &Client, table: &str, policy: HistoryPolicy, retry: RetryPolicy) -> Self {
        Self { client: client.clone(), table: table.to_owned(), policy, retry }
    }

    async fn write(&self, rows: Vec<MessageRow>) -> Result<(), PortError> {
        let mut writes = Vec::with_capacity(rows.len());
        for row in rows {
            let item = serde_dynamo::to_item(row).map_err(|error| PortError::permanent(OPERATION, error))?;
            let put = PutRequest::builder().set_item(Some(item)).build();
            let put = put.map_err(|error| PortError::permanent(OPERATION, error))?;
            writes.push(WriteRequest::builder().put_request(put).build());
        }
        batch_write(&self.client, &self.table, OPERATION, writes, self.retry).await
    }
}

impl History for DynamoHistory {
    fn policy(&self) -> Option<HistoryPolicy> {
        Some(self.policy)
    }

    async fn record(&self, user: &UserId, rows: Vec<MessageRow>) {
        let entries = rows.len();
        if let Err(error) = self.write(rows).await {
            count_history_failed(entries);
            let error = chain(&error);
            tracing::warn!(user = %user_hash(user), entries, error, "the history lacks entries");
        }
    }
}
