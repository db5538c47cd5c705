//! The Connections table on DynamoDB.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use contract_connections_v1::{Connection, ConnectionKey, attributes};
use shared_aws::port_error;
use shared_ports::PortError;
use ws_edge::ports::Connections;

/// The Connections table.
#[derive(Debug, Clone)]
pub struct DynamoConnections {
    client: Client,
    table: String,
}

impl DynamoConnections {
    /// The table of this name.
    pub fn new(sdk: &SdkConfig, table: &str) -> Self {
        Self { client: Client::new(sdk), table: table.to_owned() }
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
}
