//! The keys of mailboxes in DynamoDB.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use contract_mailbox_v1::attributes;
use contract_notifications_v1::{Sequence, UserId};
use replayer::ports::{KeyPage, MailboxKeys};
use shared_aws::port_error;
use shared_ports::PortError;

/// Reads the keys of the mailbox table.
#[derive(Debug, Clone)]
pub struct DynamoMailboxKeys {
    client: Client,
    table: String,
}

impl DynamoMailboxKeys {
    /// Uses the table with this name.
    pub fn new(sdk: &SdkConfig, table: &str) -> Self {
        Self { client: Client::new(sdk), table: table.to_owned() }
    }
}

/// Returns the sequence of an item, or `None` if the key is not a sequence. The dispatcher writes no such
/// key.
fn sequence(item: &HashMap<String, AttributeValue>) -> Option<Sequence> {
    item.get(attributes::SEQUENCE)?.as_s().ok()?.parse().ok()
}

impl MailboxKeys for DynamoMailboxKeys {
    async fn keys(&self, user: &UserId, after: Option<Sequence>, limit: usize) -> Result<KeyPage, PortError> {
        // Sequences are padded, so that their order as text is the numeric order. A space sorts before all of
        // them.
        let after = after.map_or_else(|| " ".to_owned(), |after| after.to_string());
        let mut start = None;
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .key_condition_expression("#user = :user AND #sequence > :after")
                .projection_expression("#sequence")
                .expression_attribute_names("#user", attributes::USER_ID)
                .expression_attribute_names("#sequence", attributes::SEQUENCE)
                .expression_attribute_values(":user", AttributeValue::S(user.to_string()))
                .expression_attribute_values(":after", AttributeValue::S(after.clone()))
                .limit(i32::try_from(limit.max(1)).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| port_error("reading the keys of a mailbox", error))?;
            let sequences: Vec<_> = answer.items().iter().filter_map(sequence).collect();
            start = answer.last_evaluated_key;
            if start.is_none() || !sequences.is_empty() {
                return Ok(KeyPage { more: start.is_some(), sequences });
            }
        }
    }
}
