//! The table of unused tokens on DynamoDB.

use auth_token::ports::TokenStore;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use contract_identity_v1::{TokenRow, attributes};
use shared_aws::port_error;
use shared_ports::PortError;

/// The table of unused tokens.
#[derive(Debug, Clone)]
pub struct DynamoTokens {
    client: Client,
    table: String,
}

impl DynamoTokens {
    /// The table of this name.
    pub fn new(sdk: &SdkConfig, table: &str) -> Self {
        Self { client: Client::new(sdk), table: table.to_owned() }
    }
}

impl TokenStore for DynamoTokens {
    async fn put(&self, row: TokenRow) -> Result<(), PortError> {
        const OPERATION: &str = "storing a token";
        let item = serde_dynamo::to_item(row).map_err(|error| PortError::permanent(OPERATION, error))?;
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        put.send().await.map(drop).map_err(|error| port_error(OPERATION, error))
    }

    async fn take(&self, token_hash: &str) -> Result<Option<TokenRow>, PortError> {
        const OPERATION: &str = "taking a token";
        let deleted = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(attributes::TOKEN_HASH, AttributeValue::S(token_hash.to_owned()))
            .return_values(ReturnValue::AllOld)
            .send()
            .await
            .map_err(|error| port_error(OPERATION, error))?;
        let row = deleted.attributes.map(serde_dynamo::from_item).transpose();
        row.map_err(|error| PortError::permanent(OPERATION, error))
    }
}
