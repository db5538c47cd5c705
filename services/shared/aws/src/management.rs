//! The client of the API Gateway Management API.

use aws_config::SdkConfig;
use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::config::Builder;

use crate::clients::AttemptLimits;

/// Makes a client of the API Gateway Management API for the connections of the stage at `endpoint`.
///
/// The client attempts each call once. The service decides about retries.
pub fn management_client(sdk: &SdkConfig, endpoint: &str) -> Client {
    let once = AttemptLimits::default().once();
    let config = Builder::from(sdk)
        .endpoint_url(endpoint)
        .retry_config(once.retry())
        .timeout_config(once.timeouts())
        .build();
    Client::from_conf(config)
}
