//! Configuration of the AWS clients: timeouts, attempts, and one shared HTTPS connector.

use std::ffi::OsString;
use std::time::Duration;

use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use crate::authorities;

/// Timeouts and attempts of a client's calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptLimits {
    /// Timeout for connecting.
    pub connect: Duration,
    /// Timeout of one attempt.
    pub attempt: Duration,
    /// Timeout of a call with all its attempts.
    pub call: Duration,
    /// Maximum number of attempts.
    pub attempts: u32,
    /// Maximum delay before the second attempt. It doubles for each further attempt, up to a second, with
    /// jitter.
    pub first_delay: Duration,
}

impl Default for AttemptLimits {
    /// Limits for tables, queues and keys in the same region, which answer in about 10 ms. An attempt is
    /// repeated after more than a hundred times as long, and a call ends well within an invocation. Further
    /// retries are the service's decision.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            attempt: Duration::from_secs(2),
            call: Duration::from_secs(6),
            attempts: 3,
            first_delay: Duration::from_millis(50),
        }
    }
}

impl AttemptLimits {
    /// Returns these limits with a single attempt, for calls that the service retries itself.
    #[must_use]
    pub fn once(self) -> Self {
        Self { attempts: 1, ..self }
    }

    /// Returns the SDK's retry configuration.
    pub fn retry(&self) -> RetryConfig {
        RetryConfig::standard()
            .with_max_attempts(self.attempts)
            .with_initial_backoff(self.first_delay)
            .with_max_backoff(Duration::from_secs(1))
    }

    /// Returns the SDK's timeout configuration.
    pub fn timeouts(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(self.call)
            .build()
    }
}

/// Makes an HTTPS connector with its own connection pool, for all AWS clients of a function.
///
/// `connect` is the timeout for connecting. It applies to every client that shares the connector, and
/// overrides the client's own configuration.
///
/// The SDK's default connector reads the system's certificate authorities once for every client, and again at
/// the first call, which took a good part of a cold start. This connector has Amazon's authorities alone, or, if
/// `SSL_CERT_FILE`, `SSL_CERT_DIR` or an endpoint is set in the environment, the system's.
fn aws_connector(connect: Duration) -> SharedHttpConnector {
    let variable =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    connector(connect, authorities::for_aws(std::env::vars_os().filter_map(variable)))
}

/// Makes an HTTPS connector for servers that any of the system's authorities vouches for.
pub fn http_connector(connect: Duration) -> SharedHttpConnector {
    connector(connect, TrustStore::default())
}

fn connector(connect: Duration, authorities: TrustStore) -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder().connect_timeout(connect).build();
    let tls = Provider::Rustls(CryptoMode::Ring);
    let connector = Connector::builder().connector_settings(settings).tls_provider(tls);
    SharedHttpConnector::new(match TlsContext::builder().with_trust_store(authorities).build() {
        Ok(context) => connector.tls_context(context).build(),
        // Only names of servers can be wrong, and there are none here. Without a context it has the system's authorities.
        Err(_) => connector.build(),
    })
}

/// Wraps a connector as the HTTP client of SDK clients.
pub fn http_client(connector: SharedHttpConnector) -> SharedHttpClient {
    http_client_fn(move |_, _| connector.clone())
}

/// Makes the configuration of all clients, with one HTTPS connector.
///
/// Region, credentials and the endpoint (`AWS_ENDPOINT_URL`, if set) come from the environment, as Lambda
/// sets it (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>). The SDK's other
/// sources of credentials don't exist in a function and are not tried.
pub async fn sdk_config(limits: AttemptLimits) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(EnvironmentVariableRegionProvider::new())
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .http_client(http_client(aws_connector(limits.connect)))
        .retry_config(limits.retry())
        .timeout_config(limits.timeouts())
        .load()
        .await
}
