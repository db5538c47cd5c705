//! The DynamoDB table of unused connect tokens and used signatures.

use auth_token::ports::TokenStore;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use contract_identity_v1::{TokenRow, attributes};
use shared_aws::port_error;
use shared_ports::PortError;

/// The table of unused connect tokens and used signatures.
#[derive(Debug, Clone)]
pub struct DynamoTokens {
    client: Client,
    table: String,
}

impl DynamoTokens {
    /// Uses the table with this name.
    pub fn new(sdk: &SdkConfig, table: &str) -> Self {
        Self { client: Client::new(sdk), table: table.to_owned() }
    }
}

/// Returns true if a conditional put failed because the row exists.
fn row_exists<R>(error: &SdkError<PutItemError, R>) -> bool {
    error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception)
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

    async fn claim(&self, row: TokenRow) -> Result<bool, PortError> {
        const OPERATION: &str = "claiming a signature";
        let item = serde_dynamo::to_item(row).map_err(|error| PortError::permanent(OPERATION, error))?;
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#hash)")
            .expression_attribute_names("#hash", attributes::TOKEN_HASH);
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) if row_exists(&error) => Ok(false),
            Err(error) => Err(port_error(OPERATION, error)),
        }
    }
}
