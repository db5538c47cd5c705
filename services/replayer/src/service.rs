//! Carries out replays over the ports.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;

use contract_connections_v1::ConnectionKey;
use contract_notifications_v1::{Replay, Sequence, Timestamp, UserId};
use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use metrics::counter;
use shared_ports::{Clock as _, PortError};
use shared_retry::{Jitter as _, RetryPolicy};
use shared_telemetry::{chain, user_hash};

use crate::core::limits::{Limits, batch_len, body};
use crate::core::machine::{Cause, Command, Event, Machine, Unfinished};
use crate::ports::{
    KeyPage, MailboxKeys as _, Ports, RandomSource as _, ReplayEntry, ReplayQueue as _, ThreadRandom,
};

/// Settings of a replayer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplayerConfig {
    /// Sizes of reads and batches.
    pub limits: Limits,
    /// Delays between attempts while a port fails.
    pub retry: RetryPolicy,
    /// Maximum number of mailboxes replayed concurrently, so that one user's failures delay no other user.
    /// Zero counts as one.
    pub concurrent_users: usize,
}

impl Default for ReplayerConfig {
    fn default() -> Self {
        let retry = RetryPolicy {
            initial: std::time::Duration::from_millis(50),
            max: std::time::Duration::from_secs(2),
        };
        Self { limits: Limits::default(), retry, concurrent_users: 16 }
    }
}

/// Result of a replay that requeued the whole mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Requeued {
    /// Number of entries sent.
    pub count: usize,
}

/// Errors of a replay that could not send all entries. The replay can be repeated as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The deadline passed first.
    #[error("the deadline passed after {requeued} entries of the mailbox were requeued")]
    OutOfTime {
        /// Number of entries sent.
        requeued: usize,
        /// The last error of a port, if any.
        #[source]
        last: Option<PortError>,
    },
    /// A port returned a permanent error.
    #[error("the replay was refused after {requeued} entries of the mailbox were requeued")]
    Refused {
        /// Number of entries sent.
        requeued: usize,
        /// The port's error.
        #[source]
        cause: Option<PortError>,
    },
}

/// Requeues the held notifications of users who have reconnected.
///
/// Counts `tidings_replays_requeued_total` (entries sent), `tidings_replay_retries_total` (waits after a
/// failure) and `tidings_replays_failed_total` (mailboxes not requeued completely).
pub struct Replayer<P: Ports> {
    mailbox: P::Mailbox,
    pub(crate) queue: P::Queue,
    pub(crate) clock: P::Clock,
    random: P::Random,
    pub(crate) config: ReplayerConfig,
}

impl<P: Ports<Random = ThreadRandom>> Replayer<P> {
    /// Makes a replayer over its ports, with the thread's random numbers.
    pub const fn new(mailbox: P::Mailbox, queue: P::Queue, clock: P::Clock, config: ReplayerConfig) -> Self {
        Self::with_random_source(mailbox, queue, clock, ThreadRandom, config)
    }
}

impl<P: Ports> Replayer<P> {
    /// Makes a replayer over its ports, with `random` as the source of random numbers.
    pub const fn with_random_source(
        mailbox: P::Mailbox,
        queue: P::Queue,
        clock: P::Clock,
        random: P::Random,
        config: ReplayerConfig,
    ) -> Self {
        Self { mailbox, queue, clock, random, config }
    }

    /// Returns the source of random numbers.
    pub const fn random(&self) -> &P::Random {
        &self.random
    }

    /// Queues replay entries that cover the user's mailbox, at most one batch of them. Ends by `deadline`.
    ///
    /// If the future is dropped, some entries may have been queued; a repeated replay does no harm.
    ///
    /// # Errors
    /// [`ReplayError`] if not all entries could be sent.
    pub async fn replay(&self, user: &UserId, deadline: Timestamp) -> Result<Requeued, ReplayError> {
        let mut run = Run { replayer: self, user, deadline, entries: Vec::new(), last: None };
        let mut machine = Machine::new(self.config.limits.page_size, batch_len(&self.config.limits, user));
        let outcome = loop {
            match machine.command() {
                Command::Finish(outcome) => break outcome,
                command => machine.handle(run.perform(command).await),
            }
        };
        let requeued = match outcome {
            Ok(requeued) | Err(Unfinished { requeued, .. }) => requeued,
        };
        counter!("tidings_replays_requeued_total").increment(u64::try_from(requeued).unwrap_or(u64::MAX));
        match outcome {
            Ok(count) => Ok(Requeued { count }),
            Err(Unfinished { cause, .. }) => {
                counter!("tidings_replays_failed_total").increment(1);
                Err(match cause {
                    Cause::OutOfTime => ReplayError::OutOfTime { requeued, last: run.last },
                    Cause::Refused => ReplayError::Refused { requeued, cause: run.last },
                })
            }
        }
    }

    /// Replays the mailboxes of the users in a batch of stream records, once for each user, and returns the
    /// indexes of the failed records in ascending order. Ends by `deadline`.
    pub async fn replay_batch(&self, records: &[ConnectionKey], deadline: Timestamp) -> Vec<usize> {
        let mut users: BTreeMap<&UserId, Vec<usize>> = BTreeMap::new();
        for (position, record) in records.iter().enumerate() {
            users.entry(&record.user_id).or_default().push(position);
        }
        let mut failed = Vec::new();
        let mut waiting = users.into_iter();
        let mut running = FuturesUnordered::new();
        loop {
            let free = self.config.concurrent_users.max(1) - running.len();
            for (user, positions) in waiting.by_ref().take(free) {
                running.push(async move { (user, positions, self.replay(user, deadline).await) });
            }
            let Some((user, positions, outcome)) = running.next().await else { break };
            match outcome {
                Ok(Requeued { count }) => tracing::debug!(user = %user_hash(user), count, "mailbox requeued"),
                Err(error) => {
                    let error = chain(&error);
                    tracing::warn!(user = %user_hash(user), error, "mailbox could not be requeued");
                    failed.extend(positions);
                }
            }
        }
        failed.sort_unstable();
        failed
    }
}

/// One replay in progress.
struct Run<'a, P: Ports> {
    replayer: &'a Replayer<P>,
    user: &'a UserId,
    deadline: Timestamp,
    /// The entries of the current batch. An entry that is sent again keeps its deduplication ID.
    entries: Vec<ReplayEntry>,
    /// The last error of a port.
    last: Option<PortError>,
}

impl<P: Ports> Run<'_, P> {
    /// Carries out a command and returns the answer.
    async fn perform(&mut self, command: Command) -> Event {
        let replayer = self.replayer;
        match command {
            Command::ReadKeys { after, limit } => {
                match self.in_time(replayer.mailbox.keys(self.user, after, limit)).await {
                    Some(Ok(KeyPage { sequences, more })) => Event::KeysRead { sequences, more },
                    Some(Err(error)) => self.failed(error),
                    None => Event::OutOfTime,
                }
            }
            Command::Send(batch) => {
                self.entries = batch.into_iter().map(|sequence| self.entry(sequence)).collect();
                match self.in_time(replayer.queue.send(&self.entries)).await {
                    Some(Ok(failed)) => Event::Sent { failed },
                    Some(Err(error)) => self.failed(error),
                    None => Event::OutOfTime,
                }
            }
            Command::Wait { attempt } => {
                counter!("tidings_replay_retries_total").increment(1);
                let delay = replayer.random.delay(&replayer.config.retry, attempt);
                if replayer.clock.now().plus(delay) >= self.deadline {
                    return Event::OutOfTime;
                }
                replayer.clock.sleep(delay).await;
                Event::Waited
            }
            // The caller stops at this command.
            Command::Finish(_) => Event::Waited,
        }
    }

    /// Returns the entry up to a row: the one of the last attempt, or a new one.
    fn entry(&self, sequence: Sequence) -> ReplayEntry {
        let tried = self.entries.iter().find(|entry| entry.replay.sequence == sequence);
        tried.cloned().unwrap_or_else(|| ReplayEntry {
            replay: Replay { user_id: self.user.clone(), sequence },
            body: body(self.user, sequence),
            deduplication_id: self.replayer.random.deduplication_id(),
        })
    }

    fn failed(&mut self, error: PortError) -> Event {
        let retryable = error.is_retryable();
        self.last = Some(error);
        Event::Failed { retryable }
    }

    /// Returns the result of `call`, or `None` if the deadline passes first.
    async fn in_time<T>(&self, call: impl Future<Output = T> + Send) -> Option<T> {
        let clock = &self.replayer.clock;
        let left = self.deadline.since(clock.now());
        if left.is_zero() {
            return None;
        }
        match select(pin!(call), pin!(clock.sleep(left))).await {
            Either::Left((result, _)) => Some(result),
            Either::Right(_) => None,
        }
    }
}
