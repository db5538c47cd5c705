//! Replays scheduled in the mailbox table, which the replayer queues within a minute.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use contract_mailbox_v1::{attributes, scheduled};
use contract_notifications_v1::UserId;
use shared_aws::port_error;
use shared_ports::{Clock as _, PortError, SystemClock};

/// Writes the rows of scheduled replays.
#[derive(Debug, Clone)]
pub struct ReplaySchedule {
    client: Client,
    table: String,
}

impl ReplaySchedule {
    /// Uses the mailbox table with this name.
    pub fn new(client: &Client, table: &str) -> Self {
        Self { client: client.clone(), table: table.to_owned() }
    }

    /// Schedules a replay of the user's mailbox, replacing an earlier one.
    pub(crate) async fn put(&self, user: &UserId) -> Result<(), PortError> {
        let partition = scheduled::partition(scheduled::partition_of(user));
        let now = SystemClock.now().millis().to_string();
        self.client
            .put_item()
            .table_name(&self.table)
            .item(attributes::USER_ID, AttributeValue::S(partition))
            .item(attributes::SEQUENCE, AttributeValue::S(user.to_string()))
            .item(scheduled::SCHEDULED_AT, AttributeValue::N(now))
            .send()
            .await
            .map(drop)
            .map_err(|error| port_error("scheduling a replay", error))
    }
}
