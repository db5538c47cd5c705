//! Batch writes to a DynamoDB table.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::WriteRequest;
use shared_ports::PortError;
use shared_retry::RetryPolicy;

use crate::error::port_error;

/// Maximum number of writes in a batch
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>).
const BATCH_WRITES: usize = 25;
/// Number of attempts to write a batch, the first included.
const ATTEMPTS: u32 = 5;

/// Error for writes that a table left unprocessed.
#[derive(Debug, thiserror::Error)]
#[error("{left} writes were left unprocessed after {ATTEMPTS} attempts")]
pub struct Unprocessed {
    /// Number of unprocessed writes of the batch.
    pub left: usize,
}

/// Makes writes to one table, no two of them to the same row. Writes that the table leaves unprocessed
/// (`UnprocessedItems`) are sent again, without the others, after delays of `retry`.
///
/// # Errors
/// [`PortError`] with the name `operation`. Some writes may have been made.
pub async fn batch_write(
    client: &Client,
    table: &str,
    operation: &'static str,
    writes: Vec<WriteRequest>,
    retry: RetryPolicy,
) -> Result<(), PortError> {
    for batch in writes.chunks(BATCH_WRITES) {
        let mut left = batch.to_vec();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(retry.delay(attempt - 1)).await;
            }
            let request = client.batch_write_item().request_items(table, left);
            let answer = request.send().await.map_err(|error| port_error(operation, error))?;
            left = answer.unprocessed_items.and_then(|mut of| of.remove(table)).unwrap_or_default();
            if left.is_empty() {
                break;
            }
        }
        if !left.is_empty() {
            return Err(PortError::retryable(operation, Unprocessed { left: left.len() }));
        }
    }
    Ok(())
}
