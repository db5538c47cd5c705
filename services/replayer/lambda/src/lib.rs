//! The replayer on Lambda: reads the stream of the Connections table, and implements the replayer's ports
//! with DynamoDB and SQS.

mod config;
mod event;
mod mailbox;
mod queue;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_lambda_events::event::dynamodb::Event;
use aws_lambda_events::event::streams::DynamoDbEventResponse;
use replayer::Replayer;
use replayer::ports::{Ports, ThreadRandom};
use shared_aws::Invocation;
use shared_ports::SystemClock;

pub use config::Config;
pub use event::{Inserted, inserted, response};
pub use mailbox::DynamoMailboxKeys;
pub use queue::SqsReplayQueue;

/// The replayer's adapters for AWS.
enum AwsPorts {}

impl Ports for AwsPorts {
    type Mailbox = DynamoMailboxKeys;
    type Queue = SqsReplayQueue;
    type Clock = SystemClock;
    type Random = ThreadRandom;
}

/// The replayer's Lambda function.
pub struct Function {
    service: Replayer<AwsPorts>,
    time_reserve: Duration,
}

impl Function {
    /// Makes the function with its AWS clients.
    pub fn new(config: &Config, sdk: &SdkConfig) -> Self {
        let mailbox = DynamoMailboxKeys::new(sdk, &config.mailbox_table);
        let queue = SqsReplayQueue::new(sdk, &config.notifications_queue);
        let service = Replayer::new(mailbox, queue, SystemClock, config.replayer);
        Self { service, time_reserve: config.time_reserve }
    }

    /// Replays the mailboxes of users whose connections were inserted, and reports the failed records.
    pub async fn invoke(&self, invocation: Invocation<Event>) -> DynamoDbEventResponse {
        let deadline = invocation.try_until(self.time_reserve);
        let inserted = inserted(invocation.event);
        let keys: Vec<_> = inserted.iter().map(|record| record.key.clone()).collect();
        let failed = self.service.replay_batch(&keys, deadline).await;
        response(failed.into_iter().map(|position| inserted[position].sequence_number.as_str()))
    }
}
