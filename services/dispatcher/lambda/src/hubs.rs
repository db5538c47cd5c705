//! The table of hub members in DynamoDB.

use aws_sdk_dynamodb::Client;
use contract_notifications_v1::{HubName, UserId};
use dispatcher::ports::{HubMembers, MembersPage};
use shared_aws::{HubQuery, hub_rows};
use shared_ports::PortError;

/// Reads the table of hub members.
#[derive(Debug, Clone)]
pub struct DynamoHubMembers {
    client: Client,
    table: String,
}

impl DynamoHubMembers {
    /// Uses the table with this name.
    pub fn new(client: &Client, table: &str) -> Self {
        Self { client: client.clone(), table: table.to_owned() }
    }
}

impl HubMembers for DynamoHubMembers {
    async fn page(
        &self,
        hub: &HubName,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<MembersPage, PortError> {
        // One more than asked for shows if there are further members.
        let expected = limit.saturating_add(1);
        let query = HubQuery { hub, after, expected, consistent: false };
        let mut rows = hub_rows(&self.client, &self.table, query);
        let mut users: Vec<UserId> = Vec::new();
        while let Some(row) = rows.next().await? {
            let user_id = row.member.user_id;
            if users.last() == Some(&user_id) {
                continue;
            }
            if users.len() == limit {
                return Ok(MembersPage { users, more: true });
            }
            users.push(user_id);
        }
        Ok(MembersPage { users, more: false })
    }
}
