//! The notifications queue in SQS.

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use replayer::ports::{ReplayEntry, ReplayQueue};
use shared_aws::{port_error, trace_attributes};
use shared_ports::PortError;

/// Sends replay entries to the notifications queue.
#[derive(Debug, Clone)]
pub struct SqsReplayQueue {
    client: Client,
    url: String,
}

impl SqsReplayQueue {
    /// Uses the queue at this URL.
    pub fn new(sdk: &SdkConfig, url: &str) -> Self {
        Self { client: Client::new(sdk), url: url.to_owned() }
    }
}

impl ReplayQueue for SqsReplayQueue {
    async fn send(&self, batch: &[ReplayEntry]) -> Result<Vec<usize>, PortError> {
        const OPERATION: &str = "queueing replays";
        let mut request = self.client.send_message_batch().queue_url(&self.url);
        for (position, ReplayEntry { replay, body, deduplication_id }) in batch.iter().enumerate() {
            let entry = SendMessageBatchRequestEntry::builder()
                .id(position.to_string())
                .message_group_id(replay.user_id.as_str())
                .message_deduplication_id(deduplication_id.to_string())
                .message_body(body)
                .set_message_system_attributes(trace_attributes())
                .build();
            request = request.entries(entry.map_err(|error| PortError::permanent(OPERATION, error))?);
        }
        let answer = request.send().await.map_err(|error| port_error(OPERATION, error))?;
        let failed = answer.failed().iter().map(|entry| {
            tracing::warn!(code = entry.code(), "SQS refused a replay entry");
            entry.id().parse()
        });
        failed.collect::<Result<_, _>>().map_err(|error| PortError::permanent(OPERATION, error))
    }
}
