//! The hubs table on DynamoDB.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, PutRequest, WriteRequest};
use contract_connections_v1::{HubMember, MemberKey, hub_attributes};
use contract_notifications_v1::{HubName, Timestamp, UserId};
use serde::Deserialize;
use shared_aws::{batch_write, port_error};
use shared_ports::PortError;
use shared_retry::RetryPolicy;
use shared_telemetry::chain;
use ws_edge::ports::{HubPage, Hubs};

/// The hubs table.
#[derive(Debug, Clone)]
pub struct DynamoHubs {
    client: Client,
    table: String,
    retry: RetryPolicy,
}

impl DynamoHubs {
    /// Creates an adapter for `table`. `retry` sets the delays before the unprocessed part of a batch is
    /// retried.
    pub fn new(client: &Client, table: &str, retry: RetryPolicy) -> Self {
        Self { client: client.clone(), table: table.to_owned(), retry }
    }
}

/// The attributes read from a row.
#[derive(Deserialize)]
struct Row {
    member: MemberKey,
    ttl: Option<u64>,
}

impl Hubs for DynamoHubs {
    async fn join(&self, members: &[HubMember]) -> Result<(), PortError> {
        const OPERATION: &str = "joining hubs";
        let put = |member: &HubMember| {
            let item =
                serde_dynamo::to_item(member).map_err(|error| PortError::permanent(OPERATION, error))?;
            let put = PutRequest::builder().set_item(Some(item)).build();
            let put = put.map_err(|error| PortError::permanent(OPERATION, error))?;
            Ok::<_, PortError>(WriteRequest::builder().put_request(put).build())
        };
        let writes = members.iter().map(put).collect::<Result<_, _>>()?;
        batch_write(&self.client, &self.table, OPERATION, writes, self.retry).await
    }

    async fn leave(&self, members: &[HubMember]) -> Result<(), PortError> {
        const OPERATION: &str = "leaving hubs";
        let delete = |HubMember { hub, member, .. }: &HubMember| {
            let delete = DeleteRequest::builder()
                .key(hub_attributes::HUB, AttributeValue::S(hub.to_string()))
                .key(hub_attributes::MEMBER, AttributeValue::S(member.to_string()))
                .build()
                .map_err(|error| PortError::permanent(OPERATION, error))?;
            Ok::<_, PortError>(WriteRequest::builder().delete_request(delete).build())
        };
        let writes = members.iter().map(delete).collect::<Result<_, _>>()?;
        batch_write(&self.client, &self.table, OPERATION, writes, self.retry).await
    }

    /// Sends one Query if every member has one connection, and further ones if members have several. The
    /// first reads a row for each member and one more.
    async fn members(
        &self,
        hub: &HubName,
        after: Option<&UserId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<HubPage, PortError> {
        // A space sorts before every member key.
        let after = after.map_or_else(|| " ".to_owned(), MemberKey::after);
        let mut items = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("#hub = :hub AND #member > :after")
            .projection_expression("#member, #ttl")
            .limit(i32::try_from(limit.saturating_add(1)).unwrap_or(i32::MAX))
            .expression_attribute_names("#hub", hub_attributes::HUB)
            .expression_attribute_names("#member", hub_attributes::MEMBER)
            .expression_attribute_names("#ttl", hub_attributes::TTL)
            .expression_attribute_values(":hub", AttributeValue::S(hub.to_string()))
            .expression_attribute_values(":after", AttributeValue::S(after))
            .into_paginator()
            .items()
            .send();
        let mut page = HubPage::default();
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| port_error("reading a hub's members", error))?;
            let Row { member: MemberKey { user_id, connection_id }, ttl } =
                match serde_dynamo::from_item(item) {
                    Ok(row) => row,
                    Err(error) => {
                        // One malformed row must not hide the others.
                        tracing::error!(%hub, error = chain(&error), "a hub's member row can't be parsed");
                        continue;
                    }
                };
            if ttl.is_some_and(|ttl| ttl <= now.millis() / 1000) {
                continue;
            }
            if !page.add(user_id, connection_id.is_some(), limit) {
                break;
            }
        }
        Ok(page)
    }

    async fn has(&self, hub: &HubName, user: &UserId) -> Result<bool, PortError> {
        let found = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("#hub = :hub AND begins_with(#member, :member)")
            .projection_expression("#member")
            .expression_attribute_names("#hub", hub_attributes::HUB)
            .expression_attribute_names("#member", hub_attributes::MEMBER)
            .expression_attribute_values(":hub", AttributeValue::S(hub.to_string()))
            .expression_attribute_values(":member", AttributeValue::S(MemberKey::prefix(user)))
            .limit(1)
            .send()
            .await
            .map_err(|error| port_error("looking for a hub's member", error))?;
        Ok(found.count > 0)
    }
}
