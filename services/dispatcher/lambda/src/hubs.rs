//! The table of hub members in DynamoDB.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use contract_connections_v1::{MemberKey, hub_attributes};
use contract_notifications_v1::{HubName, UserId};
use dispatcher::ports::{HubMembers, MembersPage};
use shared_aws::port_error;
use shared_ports::PortError;
use shared_telemetry::chain;

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
        const OPERATION: &str = "reading a hub's members";
        // A space sorts before every member.
        let after = after.map_or_else(|| " ".to_owned(), MemberKey::after);
        let mut items = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#hub = :hub AND #member > :after")
            .projection_expression("#member")
            // One more than asked for shows if there are further members.
            .limit(i32::try_from(limit.saturating_add(1)).unwrap_or(i32::MAX))
            .expression_attribute_names("#hub", hub_attributes::HUB)
            .expression_attribute_names("#member", hub_attributes::MEMBER)
            .expression_attribute_values(":hub", AttributeValue::S(hub.to_string()))
            .expression_attribute_values(":after", AttributeValue::S(after))
            .into_paginator()
            .items()
            .send();
        let mut users: Vec<UserId> = Vec::new();
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| port_error(OPERATION, error))?;
            let member = item.get(hub_attributes::MEMBER).and_then(|member| member.as_s().ok());
            let user_id = match member.map(|member| member.parse::<MemberKey>()) {
                Some(Ok(MemberKey { user_id, .. })) => user_id,
                unreadable => {
                    // An unreadable row must not block the hub for ever.
                    let error = unreadable.and_then(Result::err).map(|error| chain(&error));
                    tracing::error!(%hub, error, "row of a hub member can't be read");
                    continue;
                }
            };
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
