//! Credentials for AWS: those of the environment, or those that the AWS CLI finds.

use std::process::Command;

use serde::Deserialize;
use tidings_identity::sigv4::AwsCredentials;

/// The command of the AWS CLI that finds credentials wherever its profiles say: in files, single sign-on, roles
/// (<https://docs.aws.amazon.com/cli/latest/reference/configure/export-credentials.html>).
const EXPORT: [&str; 4] = ["configure", "export-credentials", "--format", "process"];

/// Errors of looking for credentials.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    /// There are none in the environment, and there is no AWS CLI to ask.
    #[error(
        "no AWS credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or install the AWS CLI to use its profiles"
    )]
    None,
    /// The AWS CLI has none.
    #[error("no AWS credentials; the AWS CLI says: {0}")]
    Cli(String),
}

/// The answer of the AWS CLI
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Exported {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

/// Finds credentials: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, or those of the AWS
/// CLI, which follows `AWS_PROFILE`.
pub(crate) fn find_credentials() -> Result<AwsCredentials, CredentialsError> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let (Some(id), Some(secret)) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
        return Ok(AwsCredentials::new(id, secret, variable("AWS_SESSION_TOKEN")));
    }
    let asked = Command::new("aws").args(EXPORT).output().map_err(|_| CredentialsError::None)?;
    read_exported(&asked.stdout)
        .ok_or_else(|| CredentialsError::Cli(String::from_utf8_lossy(&asked.stderr).trim().to_owned()))
}

fn read_exported(json: &[u8]) -> Option<AwsCredentials> {
    let found: Exported = serde_json::from_slice(json).ok()?;
    Some(AwsCredentials::new(found.access_key_id, found.secret_access_key, found.session_token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_the_cli_are_read() {
        let json = br#"{"Version": 1, "AccessKeyId": "ASIAX", "SecretAccessKey": "s", "Expiration": "soon"}"#;
        let found = read_exported(json).map(|found| format!("{found:?}"));
        assert!(found.is_some_and(|text| text.contains("ASIAX") && !text.contains("\"s\"")));
        assert!(read_exported(b"").is_none());
    }
}
