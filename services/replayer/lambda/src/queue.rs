//! The notifications queues in SQS.

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use futures_util::future::join_all;
use replayer::ports::{ReplayEntry, ReplayQueue};
use shared_aws::{Queues, port_error, trace_attributes};
use shared_ports::PortError;

/// Sends replay entries to the notifications queues of their users.
#[derive(Debug, Clone)]
pub struct SqsReplayQueue {
    client: Client,
    queues: Queues,
}

impl SqsReplayQueue {
    /// Uses these queues.
    pub fn new(sdk: &SdkConfig, queues: impl Into<Queues>) -> Self {
        Self { client: Client::new(sdk), queues: queues.into() }
    }

    /// Sends the entries at these positions, all for one queue, and returns the positions of those that failed.
    async fn send_to(
        &self,
        queue: usize,
        batch: &[ReplayEntry],
        positions: &[usize],
    ) -> Result<Vec<usize>, PortError> {
        const OPERATION: &str = "queueing replays";
        let mut request = self.client.send_message_batch().queue_url(self.queues.url(queue));
        for position in positions {
            let ReplayEntry { replay, body, deduplication_id } = &batch[*position];
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

impl ReplayQueue for SqsReplayQueue {
    async fn send(&self, batch: &[ReplayEntry]) -> Result<Vec<usize>, PortError> {
        let mut of_queue: Vec<Vec<usize>> = vec![Vec::new(); self.queues.count().get()];
        for (position, entry) in batch.iter().enumerate() {
            of_queue[self.queues.home(entry.replay.user_id.as_str())].push(position);
        }
        let used = of_queue.iter().enumerate().filter(|(_, positions)| !positions.is_empty());
        let sent = join_all(
            used.map(async |(queue, positions)| (positions, self.send_to(queue, batch, positions).await)),
        );
        let sent = sent.await;
        if sent.iter().all(|(_, outcome)| outcome.is_err()) {
            return sent.into_iter().next().map_or(Ok(Vec::new()), |(_, outcome)| outcome);
        }
        // A queue that takes nothing fails its own users' entries alone.
        Ok(sent
            .into_iter()
            .flat_map(|(positions, outcome)| outcome.unwrap_or_else(|_| positions.clone()))
            .collect())
    }
}
