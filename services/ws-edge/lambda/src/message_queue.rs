//! Queues clients' messages on SQS.

use aws_sdk_sqs::Client;
use contract_notifications_v1::{FanOut, Notification, QueueEntry};
use shared_aws::{FifoMessage, Queues, port_error, send_fifo, trace_attributes};
use shared_ports::PortError;
use ws_edge::ports::MessageQueue;

/// The notifications queues, FIFO queues.
#[derive(Debug, Clone)]
pub struct SqsMessageQueue {
    client: Client,
    queues: Queues,
}

impl SqsMessageQueue {
    /// Creates an adapter for these queues.
    pub fn new(client: &Client, queues: impl Into<Queues>) -> Self {
        Self { client: client.clone(), queues: queues.into() }
    }
}

impl MessageQueue for SqsMessageQueue {
    async fn send(&self, notifications: Vec<Notification>) -> Vec<Result<(), PortError>> {
        let messages = notifications.into_iter().map(FifoMessage::from).collect();
        send_fifo(&self.client, &self.queues, "queueing messages", messages).await
    }

    async fn broadcast(&self, fan_out: FanOut) -> Result<(), PortError> {
        let id = fan_out.id.to_string();
        let entry = QueueEntry::FanOut(fan_out);
        self.client
            .send_message()
            .queue_url(self.queues.of(&entry.group()))
            .message_group_id(entry.group())
            .message_deduplication_id(id)
            .message_body(entry.to_json())
            .set_message_system_attributes(trace_attributes())
            .send()
            .await
            .map(drop)
            .map_err(|error| port_error("queueing a broadcast", error))
    }
}
