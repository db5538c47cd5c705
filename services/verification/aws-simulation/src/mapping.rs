//! Event sources: what invokes dispatcher and replayer.
//!
//! | behaviour | source |
//! |---|---|
//! | a batch of a FIFO queue has messages of several groups; messages are deleted after the answer | <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html> |
//! | an error or a timeout leaves the batch invisible until its visibility timeout ends | <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html> |
//! | a throttled batch is tried again until its visibility timeout ends | the same |
//! | the number of batches in progress grows while messages wait | <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html> |
//! | a shard goes on behind the lowest failed record of a batch | <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html> |
//! | a failed batch of a stream is halved; records are kept for 24 hours | <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html> |

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use contract_connections_v1::{ConnectionId, ConnectionKey};
use contract_deployment_v1::{DISPATCHER, QUEUE_SOURCE, REPLAYER, STREAM_SOURCE};
use contract_notifications_v1::{Sequence, Timestamp};
use dispatcher::core::batch::ReceivedEntry;
use dispatcher::core::run::Outcome;
use dispatcher::{BatchDispatcher, BatchSettings, Deadlines, Dispatcher, Patience, QueueMessage};
use replayer::{Limits, Replayer, ReplayerConfig};
use shared_sync::IgnorePoison as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep};

use crate::fifo::Received;
use crate::lambda::{Function, InvokeError, invoke};
use crate::log::EventKind;
use crate::mutant::Mutant;
use crate::ports::{Aws, DispatcherPorts, ReplayerAws, ReplayerPorts, SourceQueue};
use crate::world::{INVOCATION, SimClock, SimRandom, World, user_id, user_of};

/// Time before the end of an invocation at which it stops trying: the function's default.
const RESERVE: Duration = Duration::from_secs(2);
/// Time for which a stream keeps a record.
const RECORD_AGE: Duration = Duration::from_hours(24);

impl World {
    /// Returns a function with this timeout.
    pub(crate) fn function(&self, timeout_seconds: u32) -> Function {
        Function {
            timeout: Duration::from_secs(timeout_seconds.into()),
            cold_starts: self.plan.cold_starts,
            crashes: self.plan.crashes,
        }
    }

    /// Returns true while something else has all of the account's concurrency.
    fn is_throttled(&self) -> bool {
        let now = self.elapsed();
        self.plan.throttled.is_some_and(|(from, until)| (from..until).contains(&now))
    }

    /// Begins an invocation, or throttles it: an event source tries it again, and an API answers with an error.
    pub(crate) fn begin(&self) -> Option<OwnedSemaphorePermit> {
        if self.is_throttled() { None } else { self.account.begin() }
    }
}

/// Polls a notifications queue and invokes the dispatcher, one batch after the other.
pub(crate) async fn poll_queue(world: Arc<World>, source: usize, poller: u32) {
    // The first pollers start at once, the others while the queue is busy.
    sleep(Duration::from_secs(u64::from(poller / 3))).await;
    let dispatcher = dispatcher(&world, source);
    let most = QUEUE_SOURCE.batch_size as usize;
    loop {
        let batch = world.queues[source].receive(most, &world.random);
        if batch.is_empty() {
            world.queues[source].wait().await;
            continue;
        }
        for message in batch.iter().filter(|message| message.receives > 1) {
            if let Some(user) = user_of(&message.sent.group) {
                world.log(user, EventKind::Redelivered { receives: message.receives });
            }
        }
        let received = Instant::now();
        sleep(world.random.millis(1, 20)).await;
        let mut backoff = Duration::from_millis(100);
        let permit = loop {
            if let Some(permit) = world.begin() {
                break Some(permit);
            }
            if received.elapsed() >= world.plan.queue.visibility {
                break None;
            }
            sleep(backoff).await;
            backoff = (backoff * 2).min(Duration::from_secs(10));
        };
        if let Some(permit) = permit {
            dispatch(&world, (&dispatcher, source), &batch).await;
            drop(permit);
        }
    }
}

fn dispatcher(world: &Arc<World>, source: usize) -> BatchDispatcher<DispatcherPorts> {
    let aws = || Aws(Arc::clone(world));
    let dispatcher = Dispatcher {
        connections: aws(),
        mailbox: aws(),
        push: aws(),
        queue: aws(),
        clock: SimClock(Arc::clone(world)),
        jitter: SimRandom(Arc::clone(world)),
        settings: dispatcher::Settings { limits: world.plan.limits, ..dispatcher::Settings::default() },
        history: aws(),
    };
    let mut settings = BatchSettings { visibility: world.plan.queue.visibility, ..BatchSettings::default() };
    if world.has(Mutant::WaitsForSlowest) {
        settings.patience = Patience::UNLIMITED;
    }
    if world.has(Mutant::UnboundedPostponement) {
        settings.patience.answer = Duration::MAX;
    }
    if world.has(Mutant::NeverSetsAside) {
        settings.failures_before_aside = None;
    }
    BatchDispatcher {
        dispatcher,
        dead_letters: aws(),
        redelivery: SourceQueue { world: Arc::clone(world), source },
        homes: SourceQueue { world: Arc::clone(world), source },
        members: aws(),
        fan_out_members: world
            .plan
            .hub
            .as_ref()
            .map_or(dispatcher::DEFAULT_MEMBERS, |hub| hub.fan_out_members),
        settings,
    }
}

async fn dispatch(
    world: &Arc<World>,
    (dispatcher, source): (&BatchDispatcher<DispatcherPorts>, usize),
    batch: &[Received],
) {
    let invocation = world.next_invocation();
    let users: BTreeSet<_> = batch.iter().filter_map(|message| user_of(&message.sent.group)).collect();
    let users: Vec<_> = users.into_iter().collect();
    let function = world.function(DISPATCHER.timeout_seconds);
    let work = || async {
        let ends = world.time_at(Instant::now() + function.timeout);
        let before = |reserve: Duration| {
            Timestamp::from_millis(ends.millis() - u64::try_from(reserve.as_millis()).unwrap_or(0))
        };
        let mut deadlines =
            Deadlines { retries: before(RESERVE), runs: before(RESERVE / 2), answer: before(RESERVE / 4) };
        if world.has(Mutant::UnboundedPostponement) {
            deadlines.answer = ends.plus(Duration::from_mins(1));
        }
        world.log_batch(EventKind::BatchBegan { invocation, users: users.clone() });
        let messages: Vec<_> = batch.iter().map(|message| queue_message(world, message)).collect();
        let work = dispatcher.dispatch_batch(&messages, deadlines);
        INVOCATION.scope(invocation, work).await
    };
    let outcomes = match invoke(function, &world.random, world.faults(), work).await {
        Ok(outcomes) => outcomes,
        Err(error) => {
            for user in &users {
                world.log(*user, EventKind::Fault("the invocation ended early"));
            }
            let error = match error {
                InvokeError::TimedOut => "timed out",
                InvokeError::Crashed => "crashed",
            };
            world.log_batch(EventKind::BatchEnded { invocation, error: Some(error) });
            return;
        }
    };
    sleep(world.random.millis(1, 20)).await;
    for (message, outcome) in batch.iter().zip(outcomes) {
        if outcome == Outcome::Done || world.has(Mutant::DeletesFailures) {
            // A message that was in flight too long is delivered again.
            let _ = world.queues[source].delete(&message.receipt);
        }
    }
    world.log_batch(EventKind::BatchEnded { invocation, error: None });
}

fn queue_message<'a>(world: &World, message: &'a Received) -> QueueMessage<'a> {
    let first_received_at = if world.has(Mutant::IgnoresVisibility) {
        None
    } else {
        Some(world.time_at(message.first_received_at))
    };
    QueueMessage {
        entry: ReceivedEntry {
            group: &message.sent.group,
            body: &message.sent.body,
            sequence: Sequence::new(message.sequence.into()),
            deduplication_id: &message.sent.deduplication_id,
            sent_at: world.time_at(message.sent_at),
            receive_count: message.receives,
        },
        message_id: &message.receipt,
        receipt: &message.receipt,
        first_received_at,
        trace: None,
    }
}

/// Reads a shard of the stream and invokes the replayer.
pub(crate) async fn read_stream(world: Arc<World>, shard: usize) {
    let mut size = STREAM_SOURCE.batch_size as usize;
    let mut backoff = Duration::from_millis(100);
    loop {
        let records: Vec<_> = {
            let mut records = world.shards[shard].records.lock().ignore_poison();
            records.retain(|(_, _, inserted)| inserted.elapsed() < RECORD_AGE);
            records.iter().take(size).map(|(user, id, _)| (*user, id.clone())).collect()
        };
        if records.is_empty() {
            world.shards[shard].arrivals.notified().await;
            continue;
        }
        sleep(world.random.millis(50, 500)).await;
        let Some(permit) = world.begin() else {
            sleep(backoff).await;
            backoff = (backoff * 2).min(Duration::from_secs(10));
            continue;
        };
        let done = match replay(&world, &records).await {
            Ok(failed) => failed.first().copied().unwrap_or(records.len()),
            Err(_) => 0,
        };
        drop(permit);
        world.shards[shard].records.lock().ignore_poison().drain(..done);
        if done == records.len() {
            (size, backoff) = (STREAM_SOURCE.batch_size as usize, Duration::from_millis(100));
        } else {
            size = (records.len() / 2).max(1);
            sleep(backoff).await;
            backoff = (backoff * 2).min(Duration::from_secs(10));
        }
    }
}

fn replayer(world: &Arc<World>, ports: impl Fn() -> ReplayerAws) -> Replayer<ReplayerPorts> {
    let mut limits = Limits { page_size: world.plan.replay_page, ..Limits::default() };
    if world.has(Mutant::ReplaysEveryRow) {
        limits = Limits { page_size: 1, batch_entries: usize::MAX, ..limits };
    }
    let config = ReplayerConfig { limits, ..ReplayerConfig::default() };
    let (clock, random) = (SimClock(Arc::clone(world)), SimRandom(Arc::clone(world)));
    Replayer::with_random_source(ports(), ports(), clock, random, config)
}

async fn replay(world: &Arc<World>, records: &[(usize, ConnectionId)]) -> Result<Vec<usize>, InvokeError> {
    let key = |(user, id): &(usize, ConnectionId)| ConnectionKey {
        user_id: user_id(*user),
        connection_id: id.clone(),
    };
    let keys: Vec<_> = records.iter().map(key).collect();
    let function = world.function(REPLAYER.timeout_seconds);
    let work = Arc::default();
    let replayer = replayer(world, || ReplayerAws { world: Arc::clone(world), work: Arc::clone(&work) });
    let replays = || async {
        let deadline = world.time_at(Instant::now() + function.timeout.saturating_sub(RESERVE));
        replayer.replay_batch(&keys, deadline).await
    };
    let failed = invoke(function, &world.random, world.faults(), replays).await;
    let work = std::mem::take(&mut *work.lock().ignore_poison());
    for (user, (reads, entries)) in work {
        world.log(user, EventKind::Replayed { reads, entries: entries.len() });
    }
    failed
}

/// Sweeps the scheduled replays every minute
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html>).
pub(crate) async fn sweep(world: Arc<World>) {
    let function = world.function(REPLAYER.timeout_seconds);
    loop {
        sleep(Duration::from_mins(1)).await;
        if world.has(Mutant::NeverSweeps) {
            continue;
        }
        let Some(permit) = world.begin() else { continue };
        let replayer = replayer(&world, || ReplayerAws { world: Arc::clone(&world), work: Arc::default() });
        let sweep = || async {
            let deadline = world.time_at(Instant::now() + function.timeout.saturating_sub(RESERVE));
            replayer.sweep(&Aws(Arc::clone(&world)), deadline).await
        };
        // What is left is swept the next time.
        let _ = invoke(function, &world.random, world.faults(), sweep).await;
        drop(permit);
    }
}
