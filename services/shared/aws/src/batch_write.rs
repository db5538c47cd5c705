//! Writes to a table in batches.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::WriteRequest;
use shared_ports::PortError;
use shared_retry::RetryPolicy;

use crate::port_error;

/// Most writes of one batch
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>).
const BATCH_WRITES: usize = 25;
/// How often what a table left out is tried again before the whole fails.
const ATTEMPTS: u32 = 5;

/// Writes that a table did not take.
#[derive(Debug, thiserror::Error)]
#[error("{left} writes were not taken in {ATTEMPTS} attempts")]
pub struct Unprocessed {
    /// How many of the batch.
    pub left: usize,
}

/// Makes writes to one table, no two of them of the same row. Those that the table leaves out
/// (`UnprocessedItems`) are tried again alone, after delays of `retry`.
///
/// # Errors
/// [`PortError`] naming `operation`; then some writes may have been made.
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
