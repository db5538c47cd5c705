//! All of a partition.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use shared_ports::PortError;

use crate::port_error;

/// An item of a table.
pub type Item = HashMap<String, AttributeValue>;

/// Reads every item of a partition, strongly consistently, however many pages they are.
///
/// # Errors
/// [`PortError`] naming `operation`.
pub async fn partition(
    client: &Client,
    table: &str,
    operation: &'static str,
    (key, value): (&str, &str),
) -> Result<Vec<Item>, PortError> {
    let (mut items, mut start) = (Vec::new(), None);
    loop {
        // Not the SDK's paginator, whose channels between its two tasks take some 30 KB for each partition.
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
