//! What became of notifications, for the history: derived by watching a run's commands and events.
//!
//! The machine of [`core`](crate::core) knows nothing of it, and nothing here has a part in delivery.

use std::collections::{HashMap, HashSet};

use contract_history_v1::HistoryOutcome;
use contract_notifications_v1::{Sequence, Timestamp, WhenOffline};

use crate::core::run::{Command, Entry, Event, Held, Item, Outcome, Report};

/// Something that became of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened<B> {
    /// The notification's place in its user's order.
    pub sequence: Sequence,
    /// The notification.
    pub body: B,
    /// What.
    pub what: HistoryOutcome,
    /// When.
    pub at: Timestamp,
}

/// What the command in progress will have done once it succeeds.
#[derive(Debug, Clone)]
enum Ordered<B> {
    Nothing,
    Put(Vec<Held<B>>),
    Delete(Vec<Sequence>),
    /// For each order, what each of its frames carries.
    Push(Vec<Vec<Vec<Item<B>>>>),
}

/// Watches one run.
///
/// - *delivered*: for the first time in this run, a connection accepted it. A client that doesn't acknowledge
///   is given it again by a later run, which is another delivery.
/// - *held*: it was put into the mailbox for nobody, or was put there before it was pushed and nobody took it.
/// - *expired*, *dropped*: the run is done with it, and it was neither delivered nor held; or it was held, and
///   was deleted because its time was over. A delivery that no client acknowledged before then expires too.
///
/// What a command that failed did is not known, and not recorded: the run is repeated, and has it again.
#[derive(Debug, Clone)]
pub struct Observer<B> {
    /// The new notifications; `None` stands for a replay.
    fresh: Vec<Option<Item<B>>>,
    /// Rows that were read, by sequence.
    read: HashMap<Sequence, Item<B>>,
    ordered: Ordered<B>,
    delivered: HashSet<Sequence>,
    /// New notifications that are in the mailbox by now.
    stored: HashSet<Sequence>,
    /// Those of which it is recorded that they were let go of, or are held.
    settled: HashSet<Sequence>,
    happened: Vec<Happened<B>>,
}

impl<B: Clone> Observer<B> {
    /// Begins to watch a run over these entries.
    pub fn new(entries: &[Entry<B>]) -> Self {
        let fresh = entries.iter().map(|entry| match entry {
            Entry::Notification { item, .. } => Some(item.clone()),
            Entry::Replay(_) => None,
        });
        Self {
            fresh: fresh.collect(),
            read: HashMap::new(),
            ordered: Ordered::Nothing,
            delivered: HashSet::new(),
            stored: HashSet::new(),
            settled: HashSet::new(),
            happened: Vec::new(),
        }
    }

    /// Sees a command before it is carried out.
    pub fn ordered(&mut self, command: &Command<B>) {
        self.ordered = match command {
            Command::Put(rows) => Ordered::Put(rows.clone()),
            Command::Delete(sequences) => Ordered::Delete(sequences.clone()),
            Command::Push(orders) => {
                let items = |frame: &crate::core::run::Frame<B>| {
                    frame.items.iter().map(|carried| carried.item.clone()).collect()
                };
                Ordered::Push(orders.iter().map(|order| order.frames.iter().map(items).collect()).collect())
            }
            _ => Ordered::Nothing,
        };
    }

    /// Sees what came of the command.
    pub fn came(&mut self, event: &Event<B>, now: Timestamp) {
        match (std::mem::replace(&mut self.ordered, Ordered::Nothing), event) {
            (_, Event::Page { rows, .. }) => {
                for Held { item, .. } in rows {
                    if self.fresh.iter().flatten().any(|fresh| fresh.sequence == item.sequence) {
                        self.stored.insert(item.sequence);
                    }
                    self.read.insert(item.sequence, item.clone());
                }
            }
            (Ordered::Push(orders), Event::Pushed(reports)) => {
                for (frames, report) in orders.into_iter().zip(reports) {
                    for item in frames.into_iter().take(report.accepted).flatten() {
                        if self.delivered.insert(item.sequence) {
                            self.record(item, HistoryOutcome::Delivered, now);
                        }
                    }
                }
            }
            (Ordered::Put(rows), Event::Done) => {
                for Held { item, pushed_to } in rows {
                    self.stored.insert(item.sequence);
                    if pushed_to.is_empty() {
                        self.settle(item, HistoryOutcome::Held, now);
                    }
                }
            }
            (Ordered::Delete(sequences), Event::Done) => {
                for sequence in sequences {
                    let read = self.read.get(&sequence).filter(|_| !self.delivered.contains(&sequence));
                    if let Some(item) = read.cloned() {
                        self.settle(item, HistoryOutcome::Expired, now);
                    }
                }
            }
            _ => {}
        }
    }

    /// Sees the run's end, and gives what happened, in its order.
    pub fn finish(mut self, report: &Report, now: Timestamp) -> Vec<Happened<B>> {
        let done = report.outcomes.iter().map(|outcome| *outcome == Outcome::Done);
        let over: Vec<_> = std::mem::take(&mut self.fresh)
            .into_iter()
            .zip(done)
            .filter_map(|(item, done)| item.filter(|_| done))
            .filter(|item| !self.delivered.contains(&item.sequence))
            .collect();
        for item in over {
            // What is in the mailbox may be over by now: that it is let go of is seen when it is deleted.
            let what = if self.stored.contains(&item.sequence) {
                HistoryOutcome::Held
            } else if item.when_offline == WhenOffline::Hold || item.expires_at.is_some_and(|at| at <= now) {
                HistoryOutcome::Expired
            } else {
                HistoryOutcome::Dropped
            };
            self.settle(item, what, now);
        }
        self.happened
    }

    /// Records what became of a notification that was not delivered, once.
    fn settle(&mut self, item: Item<B>, what: HistoryOutcome, now: Timestamp) {
        if self.settled.insert(item.sequence) {
            self.record(item, what, now);
        }
    }

    fn record(&mut self, item: Item<B>, what: HistoryOutcome, at: Timestamp) {
        self.happened.push(Happened { sequence: item.sequence, body: item.body, what, at });
    }
}

#[cfg(test)]
mod tests;
