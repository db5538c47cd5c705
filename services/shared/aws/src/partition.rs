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
    client
        .query()
        .table_name(table)
        .consistent_read(true)
        .key_condition_expression("#key = :value")
        .expression_attribute_names("#key", key)
        .expression_attribute_values(":value", AttributeValue::S(value.to_owned()))
        .into_paginator()
        .items()
        .send()
        .try_collect()
        .await
        .map_err(|error| port_error(operation, error))
}
