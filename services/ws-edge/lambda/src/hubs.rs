//! The hubs table on DynamoDB.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, ReturnValue, WriteRequest};
use contract_connections_v1::{HubMember, HubPartition, HubRow, MemberKey, hub_attributes};
use contract_notifications_v1::{HubName, Timestamp, UserId};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use shared_aws::{HubMemberRow, HubQuery, batch_write, hub_rows, port_error};
use shared_ports::PortError;
use shared_retry::RetryPolicy;
use ws_edge::ports::{HubPage, Hubs};

/// Number of rows that are deleted at a time.
const PARALLEL_DELETIONS: usize = 4;

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

    /// Deletes a member's row. Rows of before hubs had shards are in the hub's own partition.
    async fn delete(&self, member: &HubMember) -> Result<(), PortError> {
        let partition = HubPartition::of(member);
        let is_own = partition.shard.is_none();
        if !self.delete_in(&partition, member).await? && !is_own {
            self.delete_in(&HubPartition::own(&member.hub), member).await?;
        }
        Ok(())
    }

    /// Deletes a member's row from a partition and returns true if it was there.
    async fn delete_in(&self, partition: &HubPartition, member: &HubMember) -> Result<bool, PortError> {
        let answer = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(hub_attributes::HUB, AttributeValue::S(partition.to_string()))
            .key(hub_attributes::MEMBER, AttributeValue::S(member.member.to_string()))
            .return_values(ReturnValue::AllOld)
            .send()
            .await
            .map_err(|error| port_error("leaving hubs", error))?;
        Ok(answer.attributes.is_some_and(|old| !old.is_empty()))
    }

    /// Returns true if a partition has a row of the user.
    async fn has_in(&self, partition: &HubPartition, user: &UserId) -> Result<bool, PortError> {
        let found = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("#hub = :hub AND begins_with(#member, :member)")
            .projection_expression("#member")
            .expression_attribute_names("#hub", hub_attributes::HUB)
            .expression_attribute_names("#member", hub_attributes::MEMBER)
            .expression_attribute_values(":hub", AttributeValue::S(partition.to_string()))
            .expression_attribute_values(":member", AttributeValue::S(MemberKey::prefix(user)))
            .limit(1)
            .send()
            .await
            .map_err(|error| port_error("looking for a hub's member", error))?;
        Ok(found.count > 0)
    }
}

impl Hubs for DynamoHubs {
    async fn join(&self, members: &[HubMember]) -> Result<(), PortError> {
        const OPERATION: &str = "joining hubs";
        let put = |member: &HubMember| {
            let item = serde_dynamo::to_item(HubRow::from(member))
                .map_err(|error| PortError::permanent(OPERATION, error))?;
            let put = PutRequest::builder().set_item(Some(item)).build();
            let put = put.map_err(|error| PortError::permanent(OPERATION, error))?;
            Ok::<_, PortError>(WriteRequest::builder().put_request(put).build())
        };
        let writes = members.iter().map(put).collect::<Result<_, _>>()?;
        batch_write(&self.client, &self.table, OPERATION, writes, self.retry).await
    }

    async fn leave(&self, members: &[HubMember]) -> Result<(), PortError> {
        // A batch would not tell which rows were there.
        let deletions: Vec<_> = members.iter().map(|member| self.delete(member)).collect();
        stream::iter(deletions).buffer_unordered(PARALLEL_DELETIONS).try_collect().await
    }

    /// Sends a Query for each partition of the hub, and further ones if members have several connections.
    async fn members(
        &self,
        hub: &HubName,
        after: Option<&UserId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<HubPage, PortError> {
        let expected = limit.saturating_add(1);
        let query = HubQuery { hub, after, expected, consistent: true };
        let mut rows = hub_rows(&self.client, &self.table, query);
        let mut page = HubPage::default();
        while let Some(HubMemberRow { member, ttl }) = rows.next().await? {
            if ttl.is_some_and(|ttl| ttl <= now.millis() / 1000) {
                continue;
            }
            let MemberKey { user_id, connection_id } = member;
            if !page.add(user_id, connection_id.is_some(), limit) {
                break;
            }
        }
        Ok(page)
    }

    async fn has(&self, hub: &HubName, user: &UserId) -> Result<bool, PortError> {
        let shard = HubPartition::of_user(hub, user);
        // The operator's members, and rows of before hubs had shards.
        Ok(self.has_in(&shard, user).await? || self.has_in(&HubPartition::own(hub), user).await?)
    }
}
