//! Batches with entries of several users, as SQS delivers them.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use contract_history_v1::MessageRow;
use contract_notifications_v1::{FanOut, QueueEntry, Timestamp, UserId};
use futures_util::future::{Either, join_all, join4, select};
use metrics::counter;
use shared_ports::{Clock as _, PortError, trace};
use shared_telemetry::{chain, user_hash};

use crate::budget::{Budget, Moments, Patience, RunTime};
use crate::core::batch::{EntryError, GroupedBatch, HubRun, ReceivedEntry, UserRun, group};
use crate::core::run::{Entry, Outcome, SetAside};
use crate::core::visibility::after_failure;
use crate::fan_out::fan_out;
use crate::ports::{
    BatchPorts, BroadcastQueue as _, DeadLetter, DeadLetters as _, EntryOrigin, ForwardedEntry, History as _,
    Homes as _, Redelivery as _,
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
    /// Time at which the queue delivered the entry for the first time, if it is known.
    pub first_received_at: Option<Timestamp>,
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
    /// Time at which the recording of the history and calls to the queue are cancelled, early enough to answer
    /// the batch.
    pub answer: Timestamp,
}

/// Settings of batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchSettings {
    /// Visibility timeout of received entries: the time for which the queue delivers no others of their groups.
    pub visibility: Duration,
    /// Number of failed receives after which a run's notifications are put into the mailbox, so that they hold up
    /// nothing in the queue; `None` if they never are.
    pub failures_before_aside: Option<u32>,
    /// Time in which a run of entries attempts its pushes when they are received for the first time: longer than the
    /// grace, so that a handshake may end meanwhile.
    pub first_attempts: Duration,
    /// The same time when the entries are received again.
    pub later_attempts: Duration,
    /// Time that runs have left once another run of their batch is complete.
    pub patience: Patience,
}

impl Default for BatchSettings {
    /// The settings for the queue that a deployment makes.
    fn default() -> Self {
        Self {
            visibility: Duration::from_mins(3),
            failures_before_aside: Some(3),
            first_attempts: Duration::from_secs(6),
            later_attempts: Duration::from_secs(1),
            patience: Patience::default(),
        }
    }
}

/// Maximum time for recording the history of a run.
const HISTORY_BUDGET: Duration = Duration::from_secs(1);

/// Dispatches batches: entries of different users concurrently, the entries of one user in order.
///
/// A run's history is recorded after the outcomes of its entries are decided, for a second at most. Rows that
/// fail or take longer are counted as lost and change no outcome. The history of a cancelled run is lost.
///
/// Counts `tidings_dead_letters_total` by `reason`, and `tidings_forwarded_total`.
pub struct BatchDispatcher<P: BatchPorts> {
    /// Dispatches a user's run.
    pub dispatcher: Dispatcher<P>,
    /// The dead-letter queue.
    pub dead_letters: P::DeadLetters,
    /// Postpones failed entries.
    pub redelivery: P::Redelivery,
    /// The notifications queues.
    pub homes: P::Homes,
    /// The members of hubs.
    pub members: P::Members,
    /// Maximum number of hub members served by one entry.
    pub fan_out_members: usize,
    /// Settings of batches.
    pub settings: BatchSettings,
}

impl<P: BatchPorts> BatchDispatcher<P> {
    /// Dispatches a batch and returns an outcome for each message, in the batch's order.
    ///
    /// The queue delivers nothing else to the users of a batch until the batch is answered. So once a run is
    /// complete, the others have about a second left, and what they don't manage is redelivered or requeued.
    ///
    /// A run is not begun if its entries may be delivered to somebody else before it ends: a throttled event
    /// source may have kept the batch back for most of its visibility timeout.
    ///
    /// After a failed entry, all later entries of the same user or hub fail too. Entries of others are not
    /// affected. Entries that can never succeed go to the dead-letter queue, and their outcome is `Done`, or
    /// `Retry` if that queue does not take them. Other failed entries are postponed by a delay that grows
    /// with their receive count ([`after_failure`]).
    ///
    /// Entries of a group whose home is another queue are forwarded there, in order.
    ///
    /// If the future is dropped, no outcome is known, and the queue must deliver all entries again.
    pub async fn dispatch_batch(&self, batch: &[QueueMessage<'_>], deadlines: Deadlines) -> Vec<Outcome> {
        let entries: Vec<_> = batch.iter().map(|message| message.entry.clone()).collect();
        let GroupedBatch { runs, hubs, poison } = group(&entries);
        let budget = &self.budget(deadlines);
        let (runs, strange_runs): (Vec<_>, Vec<_>) =
            runs.into_iter().partition(|run| self.homes.is_home(run.user.as_str()));
        let (hubs, strange_hubs): (Vec<_>, Vec<_>) =
            hubs.into_iter().partition(|run| self.homes.is_home(&run.hub.group()));
        let strangers = strange_runs.into_iter().map(|run| forwarded_run(&entries, run));
        let strangers = strangers.chain(strange_hubs.into_iter().map(|run| forwarded_hub(&entries, run)));
        let strangers = strangers.map(|run| self.forward_run(batch, run, budget));
        let runs = runs.into_iter().map(|run| self.dispatch_run(batch, run, budget));
        let hubs = hubs.into_iter().map(|run| self.dispatch_hub(batch, run, budget));
        let letters = poison.iter().map(|(index, reason)| self.dead_letter(batch, *index, reason, budget));
        let (runs, hubs, strangers, dead_letters) =
            join4(join_all(runs), join_all(hubs), join_all(strangers), join_all(letters)).await;
        let mut outcomes = vec![Outcome::Retry; batch.len()];
        let of_groups = runs.into_iter().chain(hubs).chain(strangers).flatten();
        for (index, outcome) in of_groups.chain(dead_letters) {
            outcomes[index] = outcome;
        }
        outcomes
    }

    /// Returns the time until the deadlines, measured by a clock that never jumps.
    fn budget(&self, Deadlines { retries, runs, answer }: Deadlines) -> Budget {
        let clock = &self.dispatcher.clock;
        let (now, moment) = (clock.now(), clock.moment());
        let until = |deadline: Timestamp| moment.plus(deadline.since(now));
        Budget::new(Moments { retries: until(retries), runs: until(runs), answer: until(answer) })
    }

    async fn dispatch_run(
        &self,
        batch: &[QueueMessage<'_>],
        run: UserRun,
        budget: &Budget,
    ) -> Vec<(usize, Outcome)> {
        let UserRun { user, indexes, entries } = run;
        let first = indexes.first().map(|index| &batch[*index]);
        let trace = first.and_then(|message| message.trace.clone());
        let user_hash = user_hash(&user);
        let sequence = first.map(|message| tracing::field::display(message.entry.sequence));
        let redeliver = || indexes.iter().map(|index| (*index, Outcome::Retry)).collect::<Vec<_>>();
        if !self.stays_invisible(batch, &indexes, budget).await {
            tracing::warn!(user = %user_hash, sequence, entries = indexes.len(), "run not begun, its entries were received too long ago");
            return redeliver();
        }
        let clock = &self.dispatcher.clock;
        let receives = first.map_or(1, |message| message.entry.receive_count);
        let BatchSettings { failures_before_aside, first_attempts, later_attempts, .. } = self.settings;
        let set_aside = match failures_before_aside {
            None => SetAside::Never,
            Some(failures) if receives > failures => SetAside::All,
            Some(_) => SetAside::Blocked,
        };
        if set_aside == SetAside::All {
            tracing::warn!(user = %user_hash, sequence, entries = indexes.len(), receives, "entries failed repeatedly and are set aside");
        }
        let attempts = if receives > 1 { later_attempts } else { first_attempts };
        let time = RunTime::within(budget, clock.moment().plus(attempts));
        let dispatch = self.dispatcher.dispatch_unrecorded(&user, entries, time, set_aside);
        let dispatch = trace::scope(trace, dispatch);
        let over = budget.over(clock, |moments| moments.runs);
        let (outcomes, history): (Vec<_>, _) = match select(pin!(dispatch), pin!(over)).await {
            Either::Left((Dispatched { report, history }, _)) => {
                tracing::debug!(user = %user_hash, sequence, entries = indexes.len(), "run dispatched");
                (indexes.iter().copied().zip(report.outcomes).collect(), history)
            }
            Either::Right(_) => {
                tracing::warn!(user = %user_hash, sequence, entries = indexes.len(), "run cancelled at its deadline");
                (redeliver(), Vec::new())
            }
        };
        budget.shorten(clock.moment(), self.settings.patience);
        self.postpone(batch, &outcomes, budget).await;
        self.record(&user, history, budget).await;
        outcomes
    }

    /// Returns true if the entries of a run stay invisible to others until the run is over, and makes sure of it
    /// if they were delivered before.
    ///
    /// The queue says when it delivered an entry for the first time, but not when it delivered it again. Then the
    /// visibility timeout is renewed, which fails if it has ended.
    async fn stays_invisible(&self, batch: &[QueueMessage<'_>], indexes: &[usize], budget: &Budget) -> bool {
        let clock = &self.dispatcher.clock;
        let longest = budget.moments().answer.since(clock.moment());
        let mut messages = indexes.iter().map(|index| &batch[*index]);
        if messages.all(|message| message.entry.receive_count <= 1) {
            let received = indexes.iter().filter_map(|index| batch[*index].first_received_at).min();
            let visible_again = received.map(|at| at.plus(self.settings.visibility));
            return visible_again.is_none_or(|at| clock.now().plus(longest) <= at);
        }
        let receipts: Vec<_> = indexes.iter().map(|index| batch[*index].receipt).collect();
        let renewal = self.redelivery.postpone(&receipts, self.settings.visibility);
        let over = budget.over(clock, |moments| moments.retries);
        matches!(select(pin!(renewal), pin!(over)).await, Either::Left((Ok(()), _)))
    }

    /// Forwards the entries of a group to its home, one after the other. After a failed entry, the later ones fail too.
    async fn forward_run(
        &self,
        batch: &[QueueMessage<'_>],
        entries: Vec<(usize, ForwardedEntry<'_>)>,
        budget: &Budget,
    ) -> Vec<(usize, Outcome)> {
        let indexes: Vec<_> = entries.iter().map(|(index, _)| *index).collect();
        // Otherwise entries could be forwarded again behind those that another invocation has forwarded meanwhile.
        if !self.stays_invisible(batch, &indexes, budget).await {
            tracing::warn!(entries = indexes.len(), "entries not forwarded, they were received too long ago");
            return indexes.into_iter().map(|index| (index, Outcome::Retry)).collect();
        }
        let mut done = 0;
        for (index, entry) in entries {
            let work = trace::scope(batch[index].trace.clone(), self.homes.forward(entry));
            let over = budget.over(&self.dispatcher.clock, |moments| moments.runs);
            match select(pin!(work), pin!(over)).await {
                Either::Left((Ok(()), _)) => done += 1,
                Either::Left((Err(error), _)) => {
                    tracing::warn!(error = chain(&error), "entry could not be forwarded to its queue");
                    break;
                }
                Either::Right(_) => {
                    tracing::warn!("forwarding cancelled at its deadline");
                    break;
                }
            }
        }
        if done > 0 {
            counter!("tidings_forwarded_total").increment(done as u64);
            tracing::debug!(entries = done, "entries forwarded to their queue");
        }
        budget.shorten(self.dispatcher.clock.moment(), self.settings.patience);
        let outcome = |at| if at < done { Outcome::Done } else { Outcome::Retry };
        let outcomes: Vec<_> =
            indexes.into_iter().enumerate().map(|(at, index)| (index, outcome(at))).collect();
        self.postpone(batch, &outcomes, budget).await;
        outcomes
    }

    /// Fans out the broadcasts of a hub in order. After a failed broadcast, the later ones fail too.
    async fn dispatch_hub(
        &self,
        batch: &[QueueMessage<'_>],
        run: HubRun,
        budget: &Budget,
    ) -> Vec<(usize, Outcome)> {
        let HubRun { hub, indexes, fan_outs } = run;
        let clock = &self.dispatcher.clock;
        let mut done = 0;
        for (entry, index) in fan_outs.into_iter().zip(&indexes) {
            let work = trace::scope(batch[*index].trace.clone(), self.fan_out_one(entry));
            let over = budget.over(clock, |moments| moments.runs);
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
        budget.shorten(clock.moment(), self.settings.patience);
        let outcome = |at| if at < done { Outcome::Done } else { Outcome::Retry };
        let outcomes: Vec<_> =
            indexes.into_iter().enumerate().map(|(at, index)| (index, outcome(at))).collect();
        self.postpone(batch, &outcomes, budget).await;
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
    async fn record(&self, user: &UserId, rows: Vec<MessageRow>, budget: &Budget) {
        if rows.is_empty() {
            return;
        }
        let count = rows.len();
        let clock = &self.dispatcher.clock;
        let too_long = pin!(clock.sleep(HISTORY_BUDGET));
        let answered = pin!(budget.over(clock, |moments| moments.answer));
        let over = select(too_long, answered);
        let recorded = self.dispatcher.history.record(user, rows);
        if let Either::Right(_) = select(pin!(recorded), over).await {
            count_history_failed(count);
            tracing::warn!(user = %user_hash(user), entries = count, "recording the history took too long, its rows are lost");
        }
    }

    /// Shortens the visibility timeout of the failed entries of one user or hub. All of them get the same: a
    /// message group delivers nothing while one of its messages is in flight, so a longer timeout would delay
    /// the earlier entries.
    async fn postpone(&self, batch: &[QueueMessage<'_>], outcomes: &[(usize, Outcome)], budget: &Budget) {
        let mut failed =
            outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Retry).map(|(at, _)| &batch[*at]);
        let Some(first) = failed.next() else { return };
        let delay = after_failure(first.entry.receive_count);
        let receipts: Vec<_> = std::iter::once(first).chain(failed).map(|message| message.receipt).collect();
        let sequence = first.entry.sequence;
        tracing::info!(%sequence, entries = receipts.len(), ?delay, "entries failed and are redelivered");
        // Otherwise the queue redelivers them after its own visibility timeout.
        let later = "failed entries could not be postponed, they are redelivered later than intended";
        let over = budget.over(&self.dispatcher.clock, |moments| moments.answer);
        match select(pin!(self.redelivery.postpone(&receipts, delay)), pin!(over)).await {
            Either::Left((Ok(()), _)) => {}
            Either::Left((Err(error), _)) => tracing::warn!(%sequence, error = chain(&error), "{later}"),
            Either::Right(_) => tracing::warn!(%sequence, "{later}"),
        }
    }

    /// Moves an entry that can never succeed to the dead-letter queue.
    async fn dead_letter(
        &self,
        batch: &[QueueMessage<'_>],
        index: usize,
        reason: &EntryError,
        budget: &Budget,
    ) -> (usize, Outcome) {
        let QueueMessage { entry, message_id, .. } = &batch[index];
        let text = chain(reason);
        let origin = EntryOrigin { deduplication_id: entry.deduplication_id, sent_at: entry.sent_at };
        let letter = DeadLetter {
            group: entry.group,
            body: entry.body,
            message_id,
            reason: &text,
            origin: Some(origin),
        };
        let over = budget.over(&self.dispatcher.clock, |moments| moments.answer);
        let outcome = match select(pin!(self.dead_letters.dead_letter(letter)), pin!(over)).await {
            Either::Left((Ok(()), _)) => {
                let reason = reason.label();
                counter!("tidings_dead_letters_total", "reason" => reason).increment(1);
                tracing::warn!(sequence = %entry.sequence, reason, "entry moved to the dead-letter queue");
                Outcome::Done
            }
            Either::Left((Err(error), _)) => {
                let error = chain(&error);
                tracing::warn!(sequence = %entry.sequence, error, "entry could not be moved to the dead-letter queue");
                Outcome::Retry
            }
            Either::Right(_) => {
                tracing::warn!(sequence = %entry.sequence, "moving an entry to the dead-letter queue took too long");
                Outcome::Retry
            }
        };
        (index, outcome)
    }
}

/// Returns the entries of a user's run as they are forwarded.
fn forwarded_run<'a>(batch: &[ReceivedEntry<'a>], run: UserRun) -> Vec<(usize, ForwardedEntry<'a>)> {
    let body = |index: usize, entry| match entry {
        Entry::Notification { item, .. } => {
            QueueEntry::Notification(Arc::unwrap_or_clone(item.body)).to_json()
        }
        // The parsed entry has a sequence of this queue, which means nothing to the other one.
        Entry::Replay(_) => batch[index].body.to_owned(),
    };
    let entries = run.indexes.into_iter().zip(run.entries);
    entries.map(|(index, entry)| (index, forwarded(&batch[index], body(index, entry)))).collect()
}

/// Returns the broadcasts of a hub as they are forwarded.
fn forwarded_hub<'a>(batch: &[ReceivedEntry<'a>], run: HubRun) -> Vec<(usize, ForwardedEntry<'a>)> {
    let entries = run.indexes.into_iter().zip(run.fan_outs);
    let body = |fan_out| QueueEntry::FanOut(fan_out).to_json();
    entries.map(|(index, fan_out)| (index, forwarded(&batch[index], body(fan_out)))).collect()
}

fn forwarded<'a>(entry: &ReceivedEntry<'a>, body: String) -> ForwardedEntry<'a> {
    ForwardedEntry { group: entry.group, deduplication_id: entry.deduplication_id, body }
}

#[cfg(test)]
mod tests;
