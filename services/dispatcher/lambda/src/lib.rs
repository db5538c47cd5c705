//! The dispatcher on Lambda: receives batches of the notifications queue, and implements the dispatcher's
//! ports with DynamoDB, SQS and the API Gateway Management API.

mod config;
mod connections;
mod event;
mod history;
mod hubs;
mod mailbox;
mod push;
mod queue;
mod schedule;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use dispatcher::core::run::Outcome;
use dispatcher::ports::{BatchPorts, Ports};
use dispatcher::{BatchDispatcher, Deadlines, Dispatcher};
use shared_aws::Invocation;
use shared_ports::SystemClock;
use shared_retry::ThreadRandom;

pub use config::Config;
pub use connections::DynamoConnections;
pub use event::{InvalidEvent, messages, response};
pub use history::DynamoHistory;
pub use hubs::DynamoHubMembers;
pub use mailbox::DynamoMailbox;
pub use push::ManagementPush;
pub use queue::{SqsDeadLetters, SqsQueue};
pub use schedule::ReplaySchedule;

/// The dispatcher's adapters for AWS.
enum AwsPorts {}

impl Ports for AwsPorts {
    type Connections = DynamoConnections;
    type Mailbox = DynamoMailbox;
    type Push = ManagementPush;
    type Queue = SqsQueue;
    type Clock = SystemClock;
    type Jitter = ThreadRandom;
    type History = Option<DynamoHistory>;
}

impl BatchPorts for AwsPorts {
    type DeadLetters = SqsDeadLetters;
    type Redelivery = SqsQueue;
    type Members = DynamoHubMembers;
}

/// The dispatcher's Lambda function.
pub struct Function {
    service: BatchDispatcher<AwsPorts>,
    time_reserve: Duration,
}

impl Function {
    /// Makes the function with its AWS clients.
    pub fn new(config: &Config, sdk: &SdkConfig) -> Self {
        // The ports share one client for each service. Making a client takes a good part of a cold start,
        // because each resolves endpoint and credentials.
        let (dynamodb, sqs) = (aws_sdk_dynamodb::Client::new(sdk), aws_sdk_sqs::Client::new(sdk));
        let schedule = ReplaySchedule::new(&dynamodb, &config.mailbox_table);
        let queue = SqsQueue::new(&sqs, &config.notifications_queue).with_schedule(schedule);
        let retry = config.settings.retry;
        let history = config.history.as_ref();
        let history = history.map(|(table, policy)| DynamoHistory::new(&dynamodb, table, *policy, retry));
        let dead_letters = SqsDeadLetters::new(&sqs, &config.dead_letter_queue);
        let dispatcher = Dispatcher {
            connections: DynamoConnections::new(&dynamodb, &config.connections_table),
            mailbox: DynamoMailbox::new(&dynamodb, &config.mailbox_table, retry, dead_letters.clone()),
            push: ManagementPush::new(sdk, &config.management_endpoint),
            queue: queue.clone(),
            clock: SystemClock,
            jitter: ThreadRandom,
            settings: config.settings,
            history,
        };
        let service = BatchDispatcher {
            dispatcher,
            dead_letters,
            redelivery: queue,
            members: DynamoHubMembers::new(&dynamodb, &config.hubs_table),
            fan_out_members: config.fan_out_members,
            settings: config.batch,
        };
        Self { service, time_reserve: config.time_reserve }
    }

    /// Dispatches a batch and reports the failed messages.
    ///
    /// # Errors
    /// [`InvalidEvent`] if the event is not a batch of a FIFO queue. SQS then delivers the whole batch again.
    pub async fn invoke(&self, invocation: Invocation<SqsEvent>) -> Result<SqsBatchResponse, InvalidEvent> {
        let deadlines = Deadlines {
            retries: invocation.try_until(self.time_reserve),
            runs: invocation.try_until(self.time_reserve / 2),
            answer: invocation.try_until(self.time_reserve / 4),
        };
        let batch = messages(&invocation.event)?;
        let outcomes = self.service.dispatch_batch(&batch, deadlines).await;
        let failed = batch.iter().zip(outcomes).filter(|(_, outcome)| *outcome == Outcome::Retry);
        Ok(response(failed.map(|(message, _)| message.message_id)))
    }
}
