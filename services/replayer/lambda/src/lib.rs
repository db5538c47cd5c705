//! The replayer on Lambda: reads the stream of the Connections table, and implements the replayer's ports
//! with DynamoDB and SQS.

mod config;
mod event;
mod mailbox;
mod queue;
mod schedule;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_lambda_events::event::streams::DynamoDbEventResponse;
use replayer::Replayer;
use replayer::ports::{Ports, ThreadRandom};
use shared_aws::Invocation;
use shared_ports::{PortError, SystemClock};

pub use config::Config;
pub use event::{Incoming, Inserted, inserted, response};
pub use mailbox::DynamoMailboxKeys;
pub use queue::SqsReplayQueue;
pub use schedule::ReplaySchedule;

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
    schedule: ReplaySchedule,
    time_reserve: Duration,
}

impl Function {
    /// Makes the function with its AWS clients.
    pub fn new(config: &Config, sdk: &SdkConfig) -> Self {
        let mailbox = DynamoMailboxKeys::new(sdk, &config.mailbox_table);
        let queue = SqsReplayQueue::new(sdk, &config.notifications_queues);
        let service = Replayer::new(mailbox, queue, SystemClock, config.replayer);
        let schedule = ReplaySchedule::new(sdk, &config.mailbox_table);
        Self { service, schedule, time_reserve: config.time_reserve }
    }

    /// Replays the mailboxes of users whose connections were inserted, and reports the failed records. Or queues
    /// the scheduled replays.
    ///
    /// # Errors
    /// [`PortError`] if not all scheduled replays could be queued. The next invocation finds them again.
    pub async fn invoke(&self, invocation: Invocation<Incoming>) -> Result<DynamoDbEventResponse, PortError> {
        let deadline = invocation.try_until(self.time_reserve);
        let event = match invocation.event {
            Incoming::Stream(event) => event,
            Incoming::Schedule { .. } => {
                let count = self.service.sweep(&self.schedule, deadline).await?;
                tracing::debug!(count, "scheduled replays queued");
                return Ok(response([]));
            }
        };
        let inserted = inserted(event);
        let keys: Vec<_> = inserted.iter().map(|record| record.key.clone()).collect();
        let failed = self.service.replay_batch(&keys, deadline).await;
        Ok(response(failed.into_iter().map(|position| inserted[position].sequence_number.as_str())))
    }
}
