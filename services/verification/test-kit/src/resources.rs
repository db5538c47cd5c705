//! The tables and queues of one test.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, StreamSpecification,
    StreamViewType, TimeToLiveSpecification,
};
use aws_sdk_sqs::types::QueueAttributeName;
use contract_deployment_v1::{StreamView, Table};
use uuid::Uuid;

use crate::endpoint::sdk_config;
use crate::queue::TestQueue;

/// The clients and the resources of one test, with names that no other test has.
#[derive(Debug, Clone)]
pub struct TestResources {
    /// The configuration of clients for the endpoint.
    pub sdk: SdkConfig,
    /// The prefix of all names.
    pub prefix: String,
    /// A client for tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// A client for queues.
    pub sqs: aws_sdk_sqs::Client,
}

impl TestResources {
    /// Makes clients and a new prefix. Nothing is created yet.
    pub async fn new() -> Self {
        let sdk = sdk_config().await;
        let prefix = format!("test-{}", &Uuid::new_v4().simple().to_string()[..12]);
        let (dynamodb, sqs) = (aws_sdk_dynamodb::Client::new(&sdk), aws_sdk_sqs::Client::new(&sdk));
        Self { sdk, prefix, dynamodb, sqs }
    }

    /// Creates a table and returns its name.
    pub async fn table(&self, table: &Table) -> String {
        let name = format!("{}-{}", self.prefix, table.name);
        let mut request =
            self.dynamodb.create_table().table_name(&name).billing_mode(BillingMode::PayPerRequest);
        let keys = [(Some(table.partition_key), KeyType::Hash), (table.sort_key, KeyType::Range)];
        for (attribute, key_type) in keys {
            let Some(attribute) = attribute else { continue };
            let definition = AttributeDefinition::builder()
                .attribute_name(attribute)
                .attribute_type(ScalarAttributeType::S)
                .build();
            let key = KeySchemaElement::builder().attribute_name(attribute).key_type(key_type).build();
            request = request.attribute_definitions(definition.unwrap()).key_schema(key.unwrap());
        }
        if let Some(StreamView::KeysOnly) = table.stream {
            let stream = StreamSpecification::builder()
                .stream_enabled(true)
                .stream_view_type(StreamViewType::KeysOnly)
                .build();
            request = request.stream_specification(stream.unwrap());
        }
        request.send().await.expect("the table is created");
        let ttl = TimeToLiveSpecification::builder().enabled(true).attribute_name(table.ttl).build();
        self.dynamodb
            .update_time_to_live()
            .table_name(&name)
            .time_to_live_specification(ttl.unwrap())
            .send()
            .await
            .expect("rows expire");
        name
    }

    /// Creates the FIFO queue of notifications and its dead-letter queue.
    pub async fn queue(&self) -> TestQueue {
        let dead_letters = self.fifo("dead-letters").await;
        let notifications = self.fifo("notifications").await;
        TestQueue::new(self.sqs.clone(), notifications, dead_letters)
    }

    /// Makes two notifications queues with dead-letter queues. Of the users, `bob` belongs to the first and `alice` to
    /// the second.
    pub async fn two_queues(&self) -> [TestQueue; 2] {
        let mut queues = Vec::new();
        for suffix in ["", "-1"] {
            let dead_letters = self.fifo(&format!("dead-letters{suffix}")).await;
            let notifications = self.fifo(&format!("notifications{suffix}")).await;
            queues.push(TestQueue::new(self.sqs.clone(), notifications, dead_letters));
        }
        queues.try_into().expect("there are two")
    }

    async fn fifo(&self, name: &str) -> String {
        let created = self
            .sqs
            .create_queue()
            .queue_name(format!("{}-{name}.fifo", self.prefix))
            .attributes(QueueAttributeName::FifoQueue, "true")
            .attributes(QueueAttributeName::DeduplicationScope, "messageGroup")
            .attributes(QueueAttributeName::FifoThroughputLimit, "perMessageGroupId")
            .send()
            .await
            .expect("the queue is created");
        created.queue_url.expect("a queue has a URL")
    }
}
