//! Batches with entries of several users, as SQS delivers them.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use contract_history_v1::MessageRow;
use contract_notifications_v1::{FanOut, Timestamp, UserId};
use futures_util::future::{Either, join_all, join3, select};
use metrics::counter;
use shared_ports::{Clock as _, PortError, trace};
use shared_telemetry::{chain, user_hash};

use crate::core::batch::{EntryError, GroupedBatch, HubRun, ReceivedEntry, UserRun, group};
use crate::core::run::Outcome;
use crate::core::visibility::after_failure;
use crate::fan_out::fan_out;
use crate::ports::{
    BatchPorts, BroadcastQueue as _, DeadLetter, DeadLetters as _, History as _, Redelivery as _,
};
use crate::service::{Dispatched, Dispatcher};
use crate::telemetry::count_history_failed;

/// A message of a received batch: an entry, and what the queue needs to delete or postpone it.
#[derive(Debug, Clone)]
pub struct QueueMessage<'a> {
    /// The entry.
    pub entry: ReceivedEntry<'a>,
    /// The queue's id of the message, the same at every redelivery.
    pub message_id: &'a str,
    /// The receipt handle of this delivery.
    pub receipt: &'a str,
    /// The X-Ray tracing header of the message.
    pub trace: Option<Arc<str>>,
}

/// Deadlines within a batch, each later than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Time until which failed pushes are attempted again.
    pub retries: Timestamp,
    /// Time at which unfinished runs are cancelled. Their entries fail, so a call that hangs affects one user
    /// and not the whole batch.
    pub runs: Timestamp,
    /// Time at which the recording of the history is cancelled, early enough to answer the batch.
    pub history: Timestamp,
}

/// Maximum time for recording the history of a run.
const HISTORY_BUDGET: Duration = Duration::from_secs(1);

/// Dispatches batches: entries of different users concurrently, the entries of one user in order.
///
/// A run's history is recorded after the outcomes of its entries are decided, for a second at most. Rows that
/// fail or take longer are counted as lost and change no outcome. The history of a cancelled run is lost.
///
/// Counts `tidings_dead_letters_total` by `reason`.
pub struct BatchDispatcher<P: BatchPorts> {
    /// Dispatches a user's run.
    pub dispatcher: Dispatcher<P>,
    /// The dead-letter queue.
    pub dead_letters: P::DeadLetters,
    /// Postpones failed entries.
    pub redelivery: P::Redelivery,
    /// The members of hubs.
    pub members: P::Members,
    /// Maximum number of hub members served by one entry.
    pub fan_out_members: usize,
}

impl<P: BatchPorts> BatchDispatcher<P> {
    /// Dispatches a batch and returns an outcome for each message, in the batch's order.
    ///
    /// After a failed entry, all later entries of the same user or hub fail too. Entries of others are not
    /// affected. Entries that can never succeed go to the dead-letter queue, and their outcome is `Done`, or
    /// `Retry` if that queue does not take them. Other failed entries are postponed by a delay that grows
    /// with their receive count ([`after_failure`]).
    ///
    /// If the future is dropped, no outcome is known, and the queue must deliver all entries again.
    pub async fn dispatch_batch(&self, batch: &[QueueMessage<'_>], deadlines: Deadlines) -> Vec<Outcome> {
        let entries: Vec<_> = batch.iter().map(|message| message.entry.clone()).collect();
        let GroupedBatch { runs, hubs, poison } = group(&entries);
        let runs = runs.into_iter().map(|run| self.dispatch_run(batch, run, deadlines));
        let hubs = hubs.into_iter().map(|run| self.dispatch_hub(batch, run, deadlines));
        let letters = poison.iter().map(|(index, reason)| self.dead_letter(batch, *index, reason));
        let (runs, hubs, dead_letters) = join3(join_all(runs), join_all(hubs), join_all(letters)).await;
        let mut outcomes = vec![Outcome::Retry; batch.len()];
        for (index, outcome) in
            runs.into_iter().flatten().chain(hubs.into_iter().flatten()).chain(dead_letters)
        {
            outcomes[index] = outcome;
        }
        outcomes
    }

    async fn dispatch_run(
        &self,
        batch: &[QueueMessage<'_>],
        run: UserRun,
        deadlines: Deadlines,
    ) -> Vec<(usize, Outcome)> {
        let UserRun { user, indexes, entries } = run;
        let first = indexes.first().map(|index| &batch[*index]);
        let trace = first.and_then(|message| message.trace.clone());
        let user_hash = user_hash(&user);
        let sequence = first.map(|message| tracing::field::display(message.entry.sequence));
        let clock = &self.dispatcher.clock;
        let dispatch = self.dispatcher.dispatch_unrecorded(&user, entries, deadlines.retries);
        let dispatch = trace::scope(trace, dispatch);
        let over = clock.sleep(deadlines.runs.since(clock.now()));
        let (outcomes, history): (Vec<_>, _) = match select(pin!(dispatch), pin!(over)).await {
            Either::Left((Dispatched { report, history }, _)) => {
                tracing::debug!(user = %user_hash, sequence, entries = indexes.len(), "run dispatched");
                (indexes.into_iter().zip(report.outcomes).collect(), history)
            }
            Either::Right(_) => {
                tracing::warn!(user = %user_hash, sequence, entries = indexes.len(), "run cancelled at its deadline");
                (indexes.into_iter().map(|index| (index, Outcome::Retry)).collect(), Vec::new())
            }
        };
        self.postpone(batch, &outcomes).await;
        self.record(&user, history, deadlines.history).await;
        outcomes
    }

    /// Fans out the broadcasts of a hub in order. After a failed broadcast, the later ones fail too.
    async fn dispatch_hub(
        &self,
        batch: &[QueueMessage<'_>],
        run: HubRun,
        deadlines: Deadlines,
    ) -> Vec<(usize, Outcome)> {
        let HubRun { hub, indexes, fan_outs } = run;
        let clock = &self.dispatcher.clock;
        let mut done = 0;
        for (entry, index) in fan_outs.into_iter().zip(&indexes) {
            let work = trace::scope(batch[*index].trace.clone(), self.fan_out_one(entry));
            let over = clock.sleep(deadlines.runs.since(clock.now()));
            match select(pin!(work), pin!(over)).await {
                Either::Left((Ok(()), _)) => done += 1,
                Either::Left((Err(error), _)) => {
                    tracing::warn!(%hub, error = chain(&error), "broadcast failed and is redelivered");
                    break;
                }
                Either::Right(_) => {
                    tracing::warn!(%hub, "broadcast cancelled at its deadline and redelivered");
                    break;
                }
            }
        }
        let outcome = |at| if at < done { Outcome::Done } else { Outcome::Retry };
        let outcomes: Vec<_> =
            indexes.into_iter().enumerate().map(|(at, index)| (index, outcome(at))).collect();
        self.postpone(batch, &outcomes).await;
        outcomes
    }

    async fn fan_out_one(&self, entry: FanOut) -> Result<(), PortError> {
        let queue = &self.dispatcher.queue;
        match fan_out(entry, &self.members, queue, self.fan_out_members).await? {
            Some(rest) => queue.enqueue_rest(rest).await,
            None => Ok(()),
        }
    }

    /// Records history rows of a user, unless that takes too long.
    async fn record(&self, user: &UserId, rows: Vec<MessageRow>, deadline: Timestamp) {
        if rows.is_empty() {
            return;
        }
        let count = rows.len();
        let clock = &self.dispatcher.clock;
        let over = clock.sleep(HISTORY_BUDGET.min(deadline.since(clock.now())));
        let recorded = self.dispatcher.history.record(user, rows);
        if let Either::Right(_) = select(pin!(recorded), pin!(over)).await {
            count_history_failed(count);
            tracing::warn!(user = %user_hash(user), entries = count, "recording the history took too long, its rows are lost");
        }
    }

    /// Shortens the visibility timeout of the failed entries of one user or hub. All of them get the same: a
    /// message group delivers nothing while one of its messages is in flight, so a longer timeout would delay
    /// the earlier entries.
    async fn postpone(&self, batch: &[QueueMessage<'_>], outcomes: &[(usize, Outcome)]) {
        let mut failed =
            outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Retry).map(|(at, _)| &batch[*at]);
        let Some(first) = failed.next() else { return };
        let delay = after_failure(first.entry.receive_count);
        let receipts: Vec<_> = std::iter::once(first).chain(failed).map(|message| message.receipt).collect();
        let sequence = first.entry.sequence;
        tracing::info!(%sequence, entries = receipts.len(), ?delay, "entries failed and are redelivered");
        if let Err(error) = self.redelivery.postpone(&receipts, delay).await {
            // The queue still redelivers them, after its own visibility timeout.
            let error = chain(&error);
            tracing::warn!(%sequence, error, "failed entries could not be postponed, they are redelivered later than intended");
        }
    }

    /// Moves an entry that can never succeed to the dead-letter queue.
    async fn dead_letter(
        &self,
        batch: &[QueueMessage<'_>],
        index: usize,
        reason: &EntryError,
    ) -> (usize, Outcome) {
        let QueueMessage { entry, message_id, .. } = &batch[index];
        let text = chain(reason);
        let letter = DeadLetter { group: entry.group, body: entry.body, message_id, reason: &text };
        let outcome = match self.dead_letters.dead_letter(letter).await {
            Ok(()) => {
                let reason = reason.label();
                counter!("tidings_dead_letters_total", "reason" => reason).increment(1);
                tracing::warn!(sequence = %entry.sequence, reason, "entry moved to the dead-letter queue");
                Outcome::Done
            }
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(sequence = %entry.sequence, error, "entry could not be moved to the dead-letter queue");
                Outcome::Retry
            }
        };
        (index, outcome)
    }
}

#[cfg(test)]
mod tests;
