//! Shared secrets in Secrets Manager.

use auth_token::ports::{Secret, SecretVersions, Secrets};
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::SdkError;
use aws_sdk_secretsmanager::operation::get_secret_value::{GetSecretValueError, GetSecretValueOutput};
use shared_aws::port_error;
use shared_ports::PortError;

const OPERATION: &str = "reading a secret";

/// Labels of a secret's versions
/// (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html>).
const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";

/// Reads secrets by name or ARN. The value is the secret itself, as text or bytes, and not a JSON document
/// with the secret in it.
#[derive(Debug, Clone)]
pub struct ManagedSecrets {
    client: Client,
}

/// The secret has no value.
#[derive(Debug, thiserror::Error)]
#[error("the secret is empty")]
struct Empty;

impl ManagedSecrets {
    /// Reads the secrets of the SDK's account and region.
    pub fn new(sdk: &SdkConfig) -> Self {
        Self { client: Client::new(sdk) }
    }

    /// Returns the version with this label; `None` if no version has it or the secret does not exist.
    async fn version(&self, name: &str, label: &str) -> Result<Option<Secret>, PortError> {
        match self.client.get_secret_value().secret_id(name).version_stage(label).send().await {
            Ok(output) => Ok(value(output)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(port_error(OPERATION, error)),
        }
    }
}

fn is_missing<R>(error: &SdkError<GetSecretValueError, R>) -> bool {
    error.as_service_error().is_some_and(GetSecretValueError::is_resource_not_found_exception)
}

fn value(output: GetSecretValueOutput) -> Option<Secret> {
    let bytes = match (output.secret_string, output.secret_binary) {
        (Some(text), _) => text.into_bytes(),
        (None, Some(binary)) => binary.into_inner(),
        (None, None) => return None,
    };
    Secret::new(bytes)
}

impl Secrets for ManagedSecrets {
    async fn read(&self, name: &str) -> Result<SecretVersions, PortError> {
        let (current, previous) = tokio::join!(self.version(name, CURRENT), self.version(name, PREVIOUS));
        let current = current?.ok_or_else(|| PortError::permanent(OPERATION, Empty))?;
        Ok(SecretVersions { current, previous: previous? })
    }
}
