//! The Connections table in DynamoDB.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use contract_connections_v1::{Connection, ConnectionId, attributes};
use contract_notifications_v1::{Timestamp, UserId};
use dispatcher::ports::Connections;
use shared_aws::{partition, port_error};
use shared_ports::PortError;
use shared_telemetry::{chain, user_hash};

/// The attribute with the time at which a connection was opened. It distinguishes connections with the same
/// id.
const CONNECTED_AT: &str = "connectedAt";

/// Reads and deletes rows of the Connections table.
#[derive(Debug, Clone)]
pub struct DynamoConnections {
    client: Client,
    table: String,
}

impl DynamoConnections {
    /// Uses the table with this name.
    pub fn new(client: &Client, table: &str) -> Self {
        Self { client: client.clone(), table: table.to_owned() }
    }
}

impl Connections for DynamoConnections {
    async fn list(&self, user: &UserId) -> Result<Vec<Connection>, PortError> {
        const OPERATION: &str = "listing connections";
        let of_user = (attributes::USER_ID, user.as_str());
        let items = partition(&self.client, &self.table, OPERATION, of_user).await?;
        let row = |item| match serde_dynamo::from_item(item) {
            Ok(row) => Some(row),
            Err(error) => {
                // An unreadable row must not block the user for ever.
                let error = chain(&error);
                tracing::error!(user = %user_hash(user), error, "row of a connection can't be read");
                None
            }
        };
        Ok(items.into_iter().filter_map(row).collect())
    }

    async fn forget(
        &self,
        user: &UserId,
        connection: &ConnectionId,
        connected_at: Timestamp,
    ) -> Result<(), PortError> {
        let deleted = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(attributes::USER_ID, AttributeValue::S(user.to_string()))
            .key(attributes::CONNECTION_ID, AttributeValue::S(connection.to_string()))
            .condition_expression("#at = :at")
            .expression_attribute_names("#at", CONNECTED_AT)
            .expression_attribute_values(":at", AttributeValue::N(connected_at.millis().to_string()))
            .send()
            .await;
        match deleted {
            Ok(_) => Ok(()),
            // The row is deleted already, or belongs to another connection.
            Err(SdkError::ServiceError(refused))
                if matches!(refused.err(), DeleteItemError::ConditionalCheckFailedException(_)) =>
            {
                Ok(())
            }
            Err(error) => Err(port_error("forgetting a connection", error)),
        }
    }
}
