//! The DynamoDB table of unused connect tokens and used signatures.

use std::collections::HashMap;

use auth_token::ports::{Revocation, TokenStore};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnValue};
use contract_identity_v1::{RevocationRow, TokenRow, attributes, revocation_key};
use contract_notifications_v1::UserId;
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

    async fn revocation(&self, user: &UserId, token_id: Option<&str>) -> Result<Revocation, PortError> {
        const OPERATION: &str = "reading revocations";
        let keys = [Some(revocation_key::of_user(user)), token_id.map(revocation_key::of_token)];
        let key = |key| HashMap::from([(attributes::TOKEN_HASH.to_owned(), AttributeValue::S(key))]);
        let keys = KeysAndAttributes::builder()
            .set_keys(Some(keys.into_iter().flatten().map(key).collect()))
            .consistent_read(true)
            .build()
            .map_err(|error| PortError::permanent(OPERATION, error))?;
        let read = self.client.batch_get_item().request_items(&self.table, keys).send().await;
        let read = read.map_err(|error| port_error(OPERATION, error))?;
        // A throttled table may leave keys out. To go on without them would let a blocked user in.
        if read.unprocessed_keys.is_some_and(|left| !left.is_empty()) {
            return Err(PortError::retryable(OPERATION, "the table is throttled"));
        }
        let mut revocation = Revocation::default();
        for item in read.responses.into_iter().flat_map(HashMap::into_values).flatten() {
            let row: RevocationRow =
                serde_dynamo::from_item(item).map_err(|error| PortError::permanent(OPERATION, error))?;
            if row.token_hash.starts_with(revocation_key::USER) {
                revocation.blocked_until = row.refused_until;
                revocation.issued_before = row.issued_before;
            } else {
                revocation.token_until = row.refused_until;
            }
        }
        Ok(revocation)
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
