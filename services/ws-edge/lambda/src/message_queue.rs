//! Queues clients' messages on SQS.

use aws_sdk_sqs::Client;
use contract_notifications_v1::{FanOut, Notification, QueueEntry};
use shared_aws::{FifoMessage, port_error, send_fifo, trace_attributes};
use shared_ports::PortError;
use ws_edge::ports::MessageQueue;

/// The notifications queue, a FIFO queue.
#[derive(Debug, Clone)]
pub struct SqsMessageQueue {
    client: Client,
    url: String,
}

impl SqsMessageQueue {
    /// Creates an adapter for the queue at `url`.
    pub fn new(client: &Client, url: &str) -> Self {
        Self { client: client.clone(), url: url.to_owned() }
    }
}

impl MessageQueue for SqsMessageQueue {
    async fn send(&self, notifications: Vec<Notification>) -> Vec<Result<(), PortError>> {
        let messages = notifications.into_iter().map(FifoMessage::from).collect();
        send_fifo(&self.client, &self.url, "queueing messages", messages).await
    }

    async fn broadcast(&self, fan_out: FanOut) -> Result<(), PortError> {
        let id = fan_out.id.to_string();
        let entry = QueueEntry::FanOut(fan_out);
        self.client
            .send_message()
            .queue_url(&self.url)
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
