//! Batches of several users' entries, as a queue such as SQS delivers them.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use contract_history_v1::MessageRow;
use contract_notifications_v1::{FanOut, Timestamp, UserId};
use futures_util::future::{Either, join_all, join3, select};
use metrics::counter;
use shared_ports::{Clock, PortError, trace};
use shared_retry::ThreadRandom;
use shared_telemetry::{chain, user_hash};

use crate::Dispatcher;
use crate::core::batch::{Grouped, HubRun, Poison, Received, UserRun, group};
use crate::core::run::Outcome;
use crate::core::visibility::after_failure;
use crate::fan_out::fan_out;
use crate::ports::{
    BroadcastQueue, Connections, DeadLetter, DeadLetters, History, HubMembers, Mailbox, NoHistory, Push,
    Redelivery, ReplayQueue,
};
use crate::service::Dispatched;
use crate::telemetry::count_history_failed;

/// An entry of a batch, and how the queue is told of it.
#[derive(Debug, Clone)]
pub struct Delivery<'a> {
    /// The entry.
    pub received: Received<'a>,
    /// Names the entry, however often it is received.
    pub message_id: &'a str,
    /// Names this receipt of the entry.
    pub receipt: &'a str,
    /// The tracing header it came with.
    pub trace: Option<Arc<str>>,
}

/// How long a batch may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Until when attempts to push are repeated.
    pub retries: Timestamp,
    /// When runs that are not over are given up: their entries fail, and may be delivered again. So a call
    /// that hangs costs its own user's entries and not the whole batch.
    pub runs: Timestamp,
    /// When the recording of the history is given up, if not before: early enough that the batch is answered.
    pub history: Timestamp,
}

/// How long the recording of a run's history may hold up the answer to a batch.
const HISTORY_BUDGET: Duration = Duration::from_secs(1);

/// Dispatches batches: entries of different users at the same time, those of one user in their order.
///
/// Counts `tidings_dead_letters_total` by `reason`.
///
/// A run's history is recorded once it is settled what becomes of its entries, and for a second at most: one
/// that fails or takes longer is counted, and changes nothing about them. That of a run that is given up is
/// lost.
#[derive(Debug, Clone)]
pub struct BatchDispatcher<C, M, P, Q, K, D, R, U, H = NoHistory> {
    /// Dispatches a user's run.
    pub dispatcher: Dispatcher<C, M, P, Q, K, ThreadRandom, H>,
    /// Where entries go that can never succeed.
    pub dead_letters: D,
    /// Decides when failed entries come again.
    pub redelivery: R,
    /// The hubs' members.
    pub members: U,
    /// Most members of a hub served by one entry.
    pub fan_out_members: usize,
}

impl<C, M, P, Q, K, D, R, U, H> BatchDispatcher<C, M, P, Q, K, D, R, U, H>
where
    C: Connections,
    M: Mailbox,
    P: Push,
    Q: ReplayQueue + BroadcastQueue,
    K: Clock,
    D: DeadLetters,
    R: Redelivery,
    U: HubMembers,
    H: History,
{
    /// Decides and does what becomes of a batch, and gives an outcome for each entry, in the batch's
    /// order. After an entry that failed, all later ones of its user or hub have failed too, and nobody
    /// else's.
    ///
    /// What can never succeed goes to the dead letters and is done. Failed entries come again after a delay
    /// that grows with how often they were received ([`after_failure`]).
    pub async fn dispatch_batch(&self, batch: &[Delivery<'_>], deadlines: Deadlines) -> Vec<Outcome> {
        let received: Vec<_> = batch.iter().map(|delivery| delivery.received.clone()).collect();
        let Grouped { runs, hubs, poison } = group(&received);
        let runs = runs.into_iter().map(|run| self.dispatch_run(batch, run, deadlines));
        let hubs = hubs.into_iter().map(|run| self.dispatch_hub(batch, run, deadlines));
        let burials = poison.into_iter().map(|(index, reason)| self.bury(batch, index, reason));
        let (runs, hubs, burials) = join3(join_all(runs), join_all(hubs), join_all(burials)).await;
        let mut outcomes = vec![Outcome::Retry; batch.len()];
        for (index, outcome) in runs.into_iter().flatten().chain(hubs.into_iter().flatten()).chain(burials) {
            outcomes[index] = outcome;
        }
        outcomes
    }

    async fn dispatch_run(
        &self,
        batch: &[Delivery<'_>],
        run: UserRun,
        deadlines: Deadlines,
    ) -> Vec<(usize, Outcome)> {
        let UserRun { user, indexes, entries } = run;
        let first = indexes.first().map(|index| &batch[*index]);
        let trace = first.and_then(|delivery| delivery.trace.clone());
        let user_hash = user_hash(&user);
        let sequence = first.map(|delivery| tracing::field::display(delivery.received.sequence));
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
                tracing::warn!(user = %user_hash, sequence, entries = indexes.len(), "run given up");
                (indexes.into_iter().map(|index| (index, Outcome::Retry)).collect(), Vec::new())
            }
        };
        self.postpone(batch, &outcomes).await;
        self.record(&user, history, deadlines.history).await;
        outcomes
    }

    /// Fans out what is for a hub, one after the other; after one that failed the later ones fail too.
    async fn dispatch_hub(
        &self,
        batch: &[Delivery<'_>],
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
                    tracing::warn!(%hub, error = chain(&error), "a broadcast failed and comes again");
                    break;
                }
                Either::Right(_) => {
                    tracing::warn!(%hub, "a broadcast was given up and comes again");
                    break;
                }
            }
        }
        let outcome = |place| if place < done { Outcome::Done } else { Outcome::Retry };
        let outcomes: Vec<_> =
            indexes.into_iter().enumerate().map(|(place, index)| (index, outcome(place))).collect();
        self.postpone(batch, &outcomes).await;
        outcomes
    }

    async fn fan_out_one(&self, entry: FanOut) -> Result<(), PortError> {
        let queue = &self.dispatcher.queue;
        match fan_out(entry, &self.members, queue, self.fan_out_members).await? {
            Some(rest) => queue.go_on(rest).await,
            None => Ok(()),
        }
    }

    /// Records what became of a user's notifications, if that is soon done.
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
            tracing::warn!(user = %user_hash(user), entries = count, "recording the history took too long");
        }
    }

    /// Has failed entries of one user come again sooner than the queue by itself would. All of them: one
    /// that stays invisible longer would hold up those before it, as a message group gives nothing away
    /// while one of its entries is in flight.
    async fn postpone(&self, batch: &[Delivery<'_>], outcomes: &[(usize, Outcome)]) {
        let mut failed =
            outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Retry).map(|(at, _)| &batch[*at]);
        let Some(first) = failed.next() else { return };
        let delay = after_failure(first.received.receive_count);
        let receipts: Vec<_> =
            std::iter::once(first).chain(failed).map(|delivery| delivery.receipt).collect();
        let sequence = first.received.sequence;
        tracing::info!(%sequence, entries = receipts.len(), ?delay, "entries failed and come again");
        if let Err(error) = self.redelivery.postpone(&receipts, delay).await {
            // They come again all the same, after the queue's own visibility timeout.
            let error = chain(&error);
            tracing::warn!(%sequence, error, "failed entries come again later than intended");
        }
    }

    async fn bury(&self, batch: &[Delivery<'_>], index: usize, reason: Poison) -> (usize, Outcome) {
        let Delivery { received, message_id, .. } = &batch[index];
        let text = reasons(&reason);
        let letter = DeadLetter { group: received.group, body: received.body, message_id, reason: &text };
        let outcome = match self.dead_letters.bury(letter).await {
            Ok(()) => {
                let reason = reason.label();
                counter!("tidings_dead_letters_total", "reason" => reason).increment(1);
                tracing::warn!(sequence = %received.sequence, reason, "an entry became a dead letter");
                Outcome::Done
            }
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(sequence = %received.sequence, error, "a dead letter could not be kept");
                Outcome::Retry
            }
        };
        (index, outcome)
    }
}

/// The reason with its causes, as one text.
fn reasons(poison: &Poison) -> String {
    let mut text = poison.to_string();
    let mut cause = std::error::Error::source(poison);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
