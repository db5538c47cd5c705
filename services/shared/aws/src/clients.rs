//! The configuration of all clients.

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

/// How a client attempts a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptLimits {
    /// How long to wait for a connection.
    pub connect: Duration,
    /// How long one attempt may take.
    pub attempt: Duration,
    /// How long all attempts of one call may take together.
    pub call: Duration,
    /// How often a call is attempted.
    pub attempts: u32,
    /// Bound of the delay before the second attempt; it doubles, with jitter, up to a second.
    pub first_delay: Duration,
}

impl Default for AttemptLimits {
    /// Tables, queues and keys in the same region answer in some 10 ms. An attempt that takes a hundred
    /// times as long is given up and made anew, and a call ends well within an invocation's time: what is
    /// tried beyond that is the service's decision.
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
    /// One attempt at a time, for calls whose repetition the service decides itself.
    #[must_use]
    pub fn once(self) -> Self {
        Self { attempts: 1, ..self }
    }

    /// As the SDK's retry configuration.
    pub fn retry(&self) -> RetryConfig {
        RetryConfig::standard()
            .with_max_attempts(self.attempts)
            .with_initial_backoff(self.first_delay)
            .with_max_backoff(Duration::from_secs(1))
    }

    /// As the SDK's timeouts.
    pub fn timeouts(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(self.call)
            .build()
    }
}

/// A client for HTTPS, with the one implementation of TLS that is built in and one pool of connections.
///
/// It is complete when it is returned. What the SDK builds instead reads the system's certificate authorities
/// anew for every service's client, and once more at the first call; that was a good part of a function's
/// start. So `connect`, how long to wait for a connection, holds for all who share it, whatever their own
/// configuration says.
pub fn http_connector(connect: Duration) -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder().connect_timeout(connect).build();
    let tls = Provider::Rustls(CryptoMode::Ring);
    let connector = Connector::builder().connector_settings(settings).tls_provider(tls).build();
    SharedHttpConnector::new(connector)
}

/// The same for clients of the SDK.
pub fn http_client(connector: SharedHttpConnector) -> SharedHttpClient {
    http_client_fn(move |_, _| connector.clone())
}

/// The configuration of all clients: region, credentials and the endpoint (`AWS_ENDPOINT_URL`, when it is
/// set) from the environment, as Lambda sets it
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>), and one HTTPS client. Other
/// places where the SDK would look for credentials don't exist in a function and are not asked.
pub async fn sdk_config(limits: AttemptLimits) -> SdkConfig {
    sdk_config_over(limits, http_connector(limits.connect)).await
}

/// As [`sdk_config`], over an HTTPS client that is shared with what is not of the SDK.
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
