//! Configuration of the AWS clients: timeouts, attempts, and one shared HTTPS connector.

use std::time::Duration;

use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

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

/// Makes an HTTPS connector with its own connection pool, for all clients of a function.
///
/// `connect` is the timeout for connecting. It applies to every client that shares the connector, and
/// overrides the client's own configuration.
///
/// The SDK's default connector reads the system's certificate authorities once for every client, and again at
/// the first call, which took a good part of a cold start. This connector reads them once.
pub fn http_connector(connect: Duration) -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder().connect_timeout(connect).build();
    let tls = Provider::Rustls(CryptoMode::Ring);
    let connector = Connector::builder().connector_settings(settings).tls_provider(tls).build();
    SharedHttpConnector::new(connector)
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
    sdk_config_over(limits, http_connector(limits.connect)).await
}

/// Makes the configuration of [`sdk_config`] over an existing connector, which clients outside the SDK may
/// share.
pub async fn sdk_config_over(limits: AttemptLimits, connector: SharedHttpConnector) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(EnvironmentVariableRegionProvider::new())
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .http_client(http_client(connector))
        .retry_config(limits.retry())
        .timeout_config(limits.timeouts())
        .load()
        .await
}
