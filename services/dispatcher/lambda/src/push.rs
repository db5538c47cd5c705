//! Pushes to clients through the API Gateway Management API.

use aws_config::SdkConfig;
use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::error::SdkError;
use aws_sdk_apigatewaymanagement::operation::post_to_connection::PostToConnectionError;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use bytes::Bytes;
use contract_connections_v1::ConnectionId;
use contract_notifications_v1::UserId;
use dispatcher::ports::{Push, PushError, PushFrame, Pushed};
use shared_aws::management_client;
use shared_ports::trace;

/// The header that makes a call part of a trace
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>).
const TRACE_HEADER: &str = "x-amzn-trace-id";

/// Pushes to clients through the API Gateway Management API.
#[derive(Debug, Clone)]
pub struct ManagementPush {
    client: Client,
}

impl ManagementPush {
    /// Pushes to the connections of the stage at `endpoint`. Each push is one attempt; the dispatcher decides
    /// about retries.
    pub fn new(sdk: &SdkConfig, endpoint: &str) -> Self {
        Self { client: management_client(sdk, endpoint) }
    }

    async fn post(&self, connection: &ConnectionId, frame: Bytes) -> Result<(), PushError> {
        let post = self
            .client
            .post_to_connection()
            .connection_id(connection.as_str())
            .data(Blob::new(frame))
            .customize()
            .mutate_request(|request| {
                if let Some(trace) = trace::current() {
                    request.headers_mut().insert(TRACE_HEADER, trace.to_string());
                }
            });
        post.send().await.map(drop).map_err(|error| match &error {
            SdkError::ServiceError(refused)
                if matches!(refused.err(), PostToConnectionError::GoneException(_)) =>
            {
                PushError::Gone
            }
            _ => PushError::Unavailable(Box::new(error)),
        })
    }
}

impl Push for ManagementPush {
    async fn push(&self, _: &UserId, connection: &ConnectionId, frames: Vec<PushFrame>) -> Pushed {
        for (accepted, frame) in frames.iter().enumerate() {
            if let Err(error) = self.post(connection, frame.text.clone()).await {
                return Pushed { accepted, error: Some(error) };
            }
        }
        Pushed { accepted: frames.len(), error: None }
    }
}
