//! Reads whole partitions of a DynamoDB table.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use shared_ports::PortError;

use crate::error::port_error;

/// An item of a table.
pub type Item = HashMap<String, AttributeValue>;

/// Reads all items of a partition, page by page, strongly consistently.
///
/// # Errors
/// [`PortError`] with the name `operation`.
pub async fn partition(
    client: &Client,
    table: &str,
    operation: &'static str,
    (key, value): (&str, &str),
) -> Result<Vec<Item>, PortError> {
    let (mut items, mut start) = (Vec::new(), None);
    loop {
        // Not with the SDK's paginator, which takes about 30 KB for the channels between its two tasks.
        let answer = client
            .query()
            .table_name(table)
            .consistent_read(true)
            .key_condition_expression("#key = :value")
            .expression_attribute_names("#key", key)
            .expression_attribute_values(":value", AttributeValue::S(value.to_owned()))
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|error| port_error(operation, error))?;
        items.extend(answer.items.unwrap_or_default());
        start = answer.last_evaluated_key;
        if start.is_none() {
            return Ok(items);
        }
    }
}
