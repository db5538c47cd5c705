//! Replays that dispatchers have scheduled in the mailbox table.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use contract_mailbox_v1::{attributes, scheduled};
use contract_notifications_v1::{Timestamp, UserId};
use replayer::ports::{DuePage, DueReplay, DueReplays};
use shared_aws::port_error;
use shared_ports::PortError;

/// Reads and removes the rows of scheduled replays.
#[derive(Debug, Clone)]
pub struct ReplaySchedule {
    client: Client,
    table: String,
}

/// Returns the scheduled replay of an item, or `None` if it is none. The dispatcher writes no such item.
fn due(item: &HashMap<String, AttributeValue>) -> Option<DueReplay> {
    let user_id = UserId::new(item.get(attributes::SEQUENCE)?.as_s().ok()?.as_str()).ok()?;
    let scheduled_at = item.get(scheduled::SCHEDULED_AT)?.as_n().ok()?.parse().ok()?;
    Some(DueReplay { user_id, scheduled_at: Timestamp::from_millis(scheduled_at) })
}

impl ReplaySchedule {
    /// Uses the mailbox table with this name.
    pub fn new(sdk: &SdkConfig, table: &str) -> Self {
        Self { client: Client::new(sdk), table: table.to_owned() }
    }

    /// Reads rows of a partition after `after`, and returns true with them if there may be more.
    async fn read(
        &self,
        partition: u8,
        after: &str,
        limit: usize,
    ) -> Result<(Vec<DueReplay>, bool), PortError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("#partition = :partition AND #user > :after")
            .expression_attribute_names("#partition", attributes::USER_ID)
            .expression_attribute_names("#user", attributes::SEQUENCE)
            .expression_attribute_values(":partition", AttributeValue::S(scheduled::partition(partition)))
            .expression_attribute_values(":after", AttributeValue::S(after.to_owned()))
            .limit(i32::try_from(limit.max(1)).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(|error| port_error("reading scheduled replays", error))?;
        let more = answer.last_evaluated_key.is_some();
        Ok((answer.items().iter().filter_map(due).collect(), more))
    }
}

impl DueReplays for ReplaySchedule {
    async fn due(&self, after: Option<&DueReplay>, limit: usize) -> Result<DuePage, PortError> {
        let first = after.map_or(0, |after| scheduled::partition_of(&after.user_id));
        for partition in first..scheduled::PARTITIONS {
            // A space sorts before all user ids.
            let after = after.filter(|_| partition == first).map_or(" ", |after| after.user_id.as_str());
            let (due, more) = self.read(partition, after, limit).await?;
            if !due.is_empty() {
                return Ok(DuePage { due, more: more || partition + 1 < scheduled::PARTITIONS });
            }
        }
        Ok(DuePage::default())
    }

    async fn remove(&self, due: &DueReplay) -> Result<(), PortError> {
        let partition = scheduled::partition(scheduled::partition_of(&due.user_id));
        let removed = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(attributes::USER_ID, AttributeValue::S(partition))
            .key(attributes::SEQUENCE, AttributeValue::S(due.user_id.to_string()))
            .condition_expression("#at = :at")
            .expression_attribute_names("#at", scheduled::SCHEDULED_AT)
            .expression_attribute_values(":at", AttributeValue::N(due.scheduled_at.millis().to_string()))
            .send()
            .await;
        match removed {
            Ok(_) => Ok(()),
            // It has been scheduled again, or removed already.
            Err(SdkError::ServiceError(refused))
                if matches!(refused.err(), DeleteItemError::ConditionalCheckFailedException(_)) =>
            {
                Ok(())
            }
            Err(error) => Err(port_error("removing a scheduled replay", error)),
        }
    }
}
