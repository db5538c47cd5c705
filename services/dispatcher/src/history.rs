//! The history of deliveries, derived from the commands and events of a run.
//!
//! The state machine of [`core`](crate::core) does not know that it is observed, and nothing here has a part
//! in delivery.

use std::collections::{HashMap, HashSet};

use contract_history_v1::HistoryOutcome;
use contract_notifications_v1::{Sequence, Timestamp, WhenOffline};

use crate::core::run::{Command, Entry, Event, Frame, HeldItem, Item, Outcome, Report};

/// An event in the history of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryEvent<B> {
    /// Position of the notification in the user's order.
    pub sequence: Sequence,
    /// The notification.
    pub body: B,
    /// Kind of event.
    pub what: HistoryOutcome,
    /// Time of the event.
    pub at: Timestamp,
}

/// The effect of the command in progress, if it succeeds.
#[derive(Debug, Clone)]
enum PendingCommand<B> {
    None,
    Put(Vec<HeldItem<B>>),
    Delete(Vec<Sequence>),
    /// The notifications of each frame of each request.
    Push(Vec<Vec<Vec<Item<B>>>>),
}

/// Observes one run and derives these events:
///
/// - *delivered*: a connection accepted the notification for the first time in this run. If a later run
///   pushes it again, because the client did not acknowledge, that is another delivery.
/// - *held*: the notification was put into the mailbox without a push, or was put there before the push and
///   no connection accepted it.
/// - *expired*, *dropped*: the run is done with the notification, and it was neither delivered nor held; or
///   it was held and deleted after its expiry. A delivery that no client acknowledged before its expiry also
///   expires.
///
/// The effects of a failed command are not known and not recorded. The run is repeated and observed again.
#[derive(Debug, Clone)]
pub struct Observer<B> {
    /// The new notifications, with `None` for a replay entry.
    fresh: Vec<Option<Item<B>>>,
    /// Rows read, by sequence.
    read: HashMap<Sequence, Item<B>>,
    pending: PendingCommand<B>,
    delivered: HashSet<Sequence>,
    /// New notifications that are in the mailbox.
    stored: HashSet<Sequence>,
    /// Notifications recorded as held, expired or dropped.
    completed: HashSet<Sequence>,
    events: Vec<DeliveryEvent<B>>,
}

impl<B: Clone> Observer<B> {
    /// Starts to observe a run over these entries.
    pub fn new(entries: &[Entry<B>]) -> Self {
        let fresh = entries.iter().map(|entry| match entry {
            Entry::Notification { item, .. } => Some(item.clone()),
            Entry::Replay(_) => None,
        });
        Self {
            fresh: fresh.collect(),
            read: HashMap::new(),
            pending: PendingCommand::None,
            delivered: HashSet::new(),
            stored: HashSet::new(),
            completed: HashSet::new(),
            events: Vec::new(),
        }
    }

    /// Observes a command before it is carried out.
    pub fn on_command(&mut self, command: &Command<B>) {
        self.pending = match command {
            Command::Put(rows) => PendingCommand::Put(rows.clone()),
            Command::Delete(sequences) => PendingCommand::Delete(sequences.clone()),
            Command::Push(requests) => {
                let items =
                    |frame: &Frame<B>| frame.items.iter().map(|carried| carried.item.clone()).collect();
                PendingCommand::Push(
                    requests.iter().map(|request| request.frames.iter().map(items).collect()).collect(),
                )
            }
            _ => PendingCommand::None,
        };
    }

    /// Observes the answer to the command.
    pub fn on_event(&mut self, event: &Event<B>, now: Timestamp) {
        match (std::mem::replace(&mut self.pending, PendingCommand::None), event) {
            (_, Event::Page { rows, .. }) => {
                for HeldItem { item, .. } in rows {
                    if self.fresh.iter().flatten().any(|fresh| fresh.sequence == item.sequence) {
                        self.stored.insert(item.sequence);
                    }
                    self.read.insert(item.sequence, item.clone());
                }
            }
            (PendingCommand::Push(requests), Event::Pushed(reports)) => {
                for (frames, report) in requests.into_iter().zip(reports) {
                    for item in frames.into_iter().take(report.accepted).flatten() {
                        if self.delivered.insert(item.sequence) {
                            self.record(item, HistoryOutcome::Delivered, now);
                        }
                    }
                }
            }
            (PendingCommand::Put(rows), Event::Done) => {
                for HeldItem { item, pushed_to } in rows {
                    self.stored.insert(item.sequence);
                    if pushed_to.is_empty() {
                        self.record_once(item, HistoryOutcome::Held, now);
                    }
                }
            }
            (PendingCommand::Delete(sequences), Event::Done) => {
                for sequence in sequences {
                    let read = self.read.get(&sequence).filter(|_| !self.delivered.contains(&sequence));
                    if let Some(item) = read.cloned() {
                        self.record_once(item, HistoryOutcome::Expired, now);
                    }
                }
            }
            _ => {}
        }
    }

    /// Observes the end of the run and returns all events, in order.
    pub fn finish(mut self, report: &Report, now: Timestamp) -> Vec<DeliveryEvent<B>> {
        let done = report.outcomes.iter().map(|outcome| *outcome == Outcome::Done);
        let over: Vec<_> = std::mem::take(&mut self.fresh)
            .into_iter()
            .zip(done)
            .filter_map(|(item, done)| item.filter(|_| done))
            .filter(|item| !self.delivered.contains(&item.sequence))
            .collect();
        for item in over {
            // A row in the mailbox may have expired by now. Its deletion records that.
            let what = if self.stored.contains(&item.sequence) {
                HistoryOutcome::Held
            } else if item.when_offline == WhenOffline::Hold || item.expires_at.is_some_and(|at| at <= now) {
                HistoryOutcome::Expired
            } else {
                HistoryOutcome::Dropped
            };
            self.record_once(item, what, now);
        }
        self.events
    }

    /// Records the end of a notification that was not delivered, unless one is recorded already.
    fn record_once(&mut self, item: Item<B>, what: HistoryOutcome, now: Timestamp) {
        if self.completed.insert(item.sequence) {
            self.record(item, what, now);
        }
    }

    fn record(&mut self, item: Item<B>, what: HistoryOutcome, at: Timestamp) {
        self.events.push(DeliveryEvent { sequence: item.sequence, body: item.body, what, at });
    }
}

#[cfg(test)]
mod tests;
