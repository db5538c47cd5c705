//! The queues of a test.

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use contract_notifications_v1::{NotificationId, QueueEntry, Sequence, Timestamp, UserId};
use verification_conformance::fixture::Deliveries;

/// The notifications queue of a test, and its dead-letter queue.
#[derive(Debug, Clone)]
pub struct TestQueue {
    client: Client,
    /// URL of the notifications queue.
    pub url: String,
    /// URL of the dead-letter queue.
    pub dead_letter_url: String,
}

impl TestQueue {
    pub(crate) const fn new(client: Client, url: String, dead_letter_url: String) -> Self {
        Self { client, url, dead_letter_url }
    }

    /// Existing queues, by their URLs.
    pub fn existing(sdk: &SdkConfig, url: &str, dead_letter_url: &str) -> Self {
        Self::new(Client::new(sdk), url.to_owned(), dead_letter_url.to_owned())
    }

    /// Takes all present messages off the notifications queue and returns the users or hubs, and the deduplication IDs.
    pub async fn drain_ids(&self) -> Vec<(String, String)> {
        let ids = |message: Message| {
            let attributes = message.attributes.unwrap_or_default();
            let of = |name| attributes.get(&name).cloned().unwrap_or_default();
            let id = MessageSystemAttributeName::MessageDeduplicationId;
            (of(MessageSystemAttributeName::MessageGroupId), of(id))
        };
        self.drain().await.into_iter().map(ids).collect()
    }

    /// Takes all present messages off the notifications queue.
    pub async fn drain(&self) -> Vec<Message> {
        self.drain_queue(&self.url).await
    }

    /// Takes all present messages off the dead-letter queue.
    pub async fn drain_dead_letters(&self) -> Vec<Message> {
        self.drain_queue(&self.dead_letter_url).await
    }

    async fn drain_queue(&self, url: &str) -> Vec<Message> {
        let mut all = Vec::new();
        loop {
            let received = self
                .client
                .receive_message()
                .queue_url(url)
                .max_number_of_messages(10)
                .message_system_attribute_names(MessageSystemAttributeName::All)
                .message_attribute_names("All")
                .send()
                .await
                .expect("messages are received");
            let messages = received.messages.unwrap_or_default();
            if messages.is_empty() {
                return all;
            }
            for message in &messages {
                let receipt = message.receipt_handle().expect("a received message has a receipt");
                let delete = self.client.delete_message().queue_url(url).receipt_handle(receipt);
                delete.send().await.expect("the message is deleted");
            }
            all.extend(messages);
        }
    }
}

/// The replay entries on the notifications queue. Entries of other users that were taken off are kept for
/// later calls.
#[derive(Debug)]
pub struct ReplayDeliveries {
    queue: TestQueue,
    others: Vec<(UserId, Sequence)>,
}

impl TestQueue {
    /// Returns a reader of the replay entries on the notifications queue.
    pub fn replays(&self) -> ReplayDeliveries {
        ReplayDeliveries { queue: self.clone(), others: Vec::new() }
    }
}

impl Deliveries for ReplayDeliveries {
    async fn take(&mut self, user: &UserId) -> Vec<Sequence> {
        let fresh = self.queue.drain().await.into_iter().map(|message| {
            let body = message.body().expect("a message has a body");
            let id = || NotificationId::from(Sequence::ZERO);
            match QueueEntry::from_json(body, id, Timestamp::from_millis(0)) {
                Ok(QueueEntry::Replay(replay)) => (replay.user_id, replay.sequence),
                other => panic!("not a replay entry: {other:?}"),
            }
        });
        self.others.extend(fresh);
        self.others.extract_if(.., |(other, _)| other == user).map(|(_, sequence)| sequence).collect()
    }
}
