//! The Connections table on DynamoDB, and the connections behind the API Gateway Management API.

use aws_sdk_apigatewaymanagement::Client as ManagementClient;
use aws_sdk_apigatewaymanagement::error::SdkError;
use aws_sdk_apigatewaymanagement::operation::delete_connection::DeleteConnectionError;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use contract_connections_v1::{Connection, ConnectionKey, attributes};
use contract_notifications_v1::UserId;
use shared_aws::{partition, port_error};
use shared_ports::PortError;
use ws_edge::ports::Connections;

/// Stores connections in DynamoDB and closes them through API Gateway.
#[derive(Debug, Clone)]
pub struct DynamoConnections {
    client: Client,
    table: String,
    management: ManagementClient,
}

impl DynamoConnections {
    /// Creates an adapter for `table`, and for the connections of the API that `management` reaches.
    pub fn new(client: &Client, table: &str, management: ManagementClient) -> Self {
        Self { client: client.clone(), table: table.to_owned(), management }
    }
}

impl Connections for DynamoConnections {
    async fn put(&self, row: &Connection) -> Result<(), PortError> {
        const OPERATION: &str = "storing a connection";
        let item = serde_dynamo::to_item(row).map_err(|error| PortError::permanent(OPERATION, error))?;
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        put.send().await.map(drop).map_err(|error| port_error(OPERATION, error))
    }

    async fn delete(&self, key: &ConnectionKey) -> Result<(), PortError> {
        self.client
            .delete_item()
            .table_name(&self.table)
            .key(attributes::USER_ID, AttributeValue::S(key.user_id.to_string()))
            .key(attributes::CONNECTION_ID, AttributeValue::S(key.connection_id.to_string()))
            .send()
            .await
            .map(drop)
            .map_err(|error| port_error("deleting a connection", error))
    }

    async fn list(&self, user: &UserId) -> Result<Vec<Connection>, PortError> {
        const OPERATION: &str = "listing connections";
        let of_user = (attributes::USER_ID, user.as_str());
        let items = partition(&self.client, &self.table, OPERATION, of_user).await?;
        serde_dynamo::from_items(items).map_err(|error| PortError::permanent(OPERATION, error))
    }

    async fn close(&self, key: &ConnectionKey) -> Result<(), PortError> {
        let close = self.management.delete_connection().connection_id(key.connection_id.as_str());
        match close.send().await {
            Ok(_) => {}
            Err(SdkError::ServiceError(refused))
                if matches!(refused.err(), DeleteConnectionError::GoneException(_)) => {}
            Err(error) => return Err(port_error("closing a connection", error)),
        }
        self.delete(key).await
    }
}
