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
use contract_notifications_v1::Epoch;
use dispatcher::core::run::Outcome;
use dispatcher::ports::{BatchPorts, Ports};
use dispatcher::{BatchDispatcher, Deadlines, Dispatcher};
use shared_aws::{Invocation, Queues};
use shared_ports::SystemClock;
use shared_retry::ThreadRandom;

pub use config::Config;
pub use connections::DynamoConnections;
pub use event::{InvalidEvent, messages, response, source};
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
    type Homes = SqsQueue;
}

/// The dispatcher's Lambda function.
pub struct Function {
    /// A dispatcher for each notifications queue, in order.
    services: Vec<BatchDispatcher<AwsPorts>>,
    queues: Queues,
    epoch: Epoch,
    time_reserve: Duration,
}

impl Function {
    /// Makes the function with its AWS clients.
    pub fn new(config: &Config, sdk: &SdkConfig) -> Self {
        // The ports share one client for each service. Making a client takes a good part of a cold start,
        // because each resolves endpoint and credentials.
        let (dynamodb, sqs) = (aws_sdk_dynamodb::Client::new(sdk), aws_sdk_sqs::Client::new(sdk));
        let queues = &config.notifications_queues;
        let services =
            (0..queues.count().get()).map(|source| service(config, sdk, (&dynamodb, &sqs), source));
        let services = services.collect();
        Self { services, queues: queues.clone(), epoch: config.epoch, time_reserve: config.time_reserve }
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
        let source = source(&invocation.event, &self.queues)?;
        let batch = messages(&invocation.event, self.epoch)?;
        let outcomes = self.services[source].dispatch_batch(&batch, deadlines).await;
        let failed = batch.iter().zip(outcomes).filter(|(_, outcome)| *outcome == Outcome::Retry);
        Ok(response(failed.map(|(message, _)| message.message_id)))
    }
}

/// Makes the dispatcher of the batches that come from one of the notifications queues.
fn service(
    config: &Config,
    sdk: &SdkConfig,
    (dynamodb, sqs): (&aws_sdk_dynamodb::Client, &aws_sdk_sqs::Client),
    source: usize,
) -> BatchDispatcher<AwsPorts> {
    let schedule = ReplaySchedule::new(dynamodb, &config.mailbox_table);
    let queue = SqsQueue::new(sqs, &config.notifications_queues).with_source(source).with_schedule(schedule);
    let retry = config.settings.retry;
    let history = config.history.as_ref();
    let history = history.map(|(table, policy)| DynamoHistory::new(dynamodb, table, *policy, retry));
    let dead_letters = SqsDeadLetters::new(sqs, &config.dead_letter_queues);
    let dispatcher = Dispatcher {
        connections: DynamoConnections::new(dynamodb, &config.connections_table),
        mailbox: DynamoMailbox::new(dynamodb, &config.mailbox_table, retry, dead_letters.clone()),
        push: ManagementPush::new(sdk, &config.management_endpoint),
        queue: queue.clone(),
        clock: SystemClock,
        jitter: ThreadRandom,
        settings: config.settings,
        history,
    };
    BatchDispatcher {
        dispatcher,
        dead_letters,
        redelivery: queue.clone(),
        homes: queue,
        members: DynamoHubMembers::new(dynamodb, &config.hubs_table),
        fan_out_members: config.fan_out_members,
        settings: config.batch,
    }
}
