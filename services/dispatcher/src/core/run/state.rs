//! The state machine of a run.
//!
//! A run lists the connections, reads due rows page by page and pushes them, pushes the new notifications behind
//! them, deletes or marks what was accepted, and puts the rest into the mailbox. Each method ends with the
//! next command, and [`Step`] remembers which answer the machine waits for.

use std::collections::BTreeSet;

use contract_notifications_v1::{Sequence, Timestamp, WhenOffline};

use super::types::{
    Command, Entry, Event, Frame, FrameItem, HeldItem, Item, Limits, OpenConnection, Outcome, PushReport,
    PushRequest, Refusal, Report, SetAside, Stats,
};
use crate::core::{ConnectionSet, frames};

/// A run in progress.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate fact about the run")]
pub struct Run<B> {
    limits: Limits,
    set_aside: SetAside,
    /// The last sequence that each entry covers, in the run's order.
    bounds: Vec<Sequence>,
    /// The highest of `bounds`. The run touches no row beyond it.
    up_to: Sequence,
    /// New notifications that are neither delivered nor in the mailbox, in order.
    pub(super) fresh: Vec<Row<B>>,
    /// The connections of the last list, less those found closed.
    pub(super) open: Vec<OpenConnection>,
    /// The open connections that are being served: all of the first list, then those new in each later list.
    pub(super) serving: Vec<OpenConnection>,
    /// Every connection that was in a list of this run.
    pub(super) listed: ConnectionSet,
    /// The last held row read.
    cursor: Option<Sequence>,
    /// True if there may be held rows after `cursor`.
    more: bool,
    /// Number of held rows that this run may still push.
    drain: usize,
    /// The rows being pushed, in order.
    pub(super) rows: Vec<Row<B>>,
    /// Progress of the push to each served connection.
    pub(super) pushes: Vec<PushState>,
    /// Number of failed attempts to push since the last progress.
    attempt: u32,
    /// True if a connection refused the last push because it is not yet open.
    not_yet_open: bool,
    /// Rows to delete after the pushes.
    deletes: Vec<Sequence>,
    /// Marks to make after the pushes.
    pub(super) marks: Vec<(Sequence, ConnectionSet)>,
    /// True if the mailbox was written since the connections were listed (R2, R6).
    look_again: bool,
    /// True if every new notification is delivered, in the mailbox or discarded.
    completed: bool,
    /// Index of the first entry to redeliver.
    retry_from: Option<usize>,
    /// True if time ran out while held rows were pushed, and a replay entry of its own delivers the rest.
    leaves_rest: bool,
    /// The step whose command the next event answers.
    step: Step,
    pub(super) stats: Stats,
}

/// The step of a run that waits for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    List,
    Read,
    WriteAhead,
    Push {
        /// Time of the command.
        since: Timestamp,
    },
    Wait,
    Forget,
    Delete,
    Mark,
    Hold,
    Defer,
    Enqueue,
    Finished,
}

/// A notification in progress.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Row<B> {
    item: Item<B>,
    /// True if it came from the mailbox, false if it came from the queue.
    replayed: bool,
    /// True if it is in the mailbox.
    stored: bool,
    /// True if an earlier run may have put it into the mailbox.
    redelivered: bool,
    /// The connections to which earlier runs pushed it.
    pub(super) pushed_to: ConnectionSet,
    /// The connections that accepted it in this run.
    pub(super) accepted_by: ConnectionSet,
}

/// Progress of the push to one connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PushState {
    pub(super) connection: OpenConnection,
    /// Indexes into `rows`, for each frame.
    frames: Vec<Vec<usize>>,
    /// Number of frames accepted.
    accepted: usize,
    gone: bool,
}

impl PushState {
    fn is_pending(&self) -> bool {
        !self.gone && self.accepted < self.frames.len()
    }

    /// Returns the indexes of the rows that were not accepted.
    fn remaining(&self) -> impl Iterator<Item = usize> + '_ {
        self.frames[self.accepted..].iter().flatten().copied()
    }
}

impl<B: Clone> Run<B> {
    /// Starts a run over the consecutive entries of one user, in the queue's order.
    pub fn start(limits: Limits, entries: Vec<Entry<B>>) -> (Self, Command<B>) {
        let replays = entries.iter().any(|entry| matches!(entry, Entry::Replay(_)));
        let mut bounds = Vec::with_capacity(entries.len());
        let mut fresh = Vec::with_capacity(entries.len());
        for entry in entries {
            match entry {
                Entry::Replay(sequence) => bounds.push(sequence),
                Entry::Notification { item, redelivered } => {
                    bounds.push(item.sequence);
                    fresh.push(Row {
                        item,
                        replayed: false,
                        stored: false,
                        redelivered,
                        pushed_to: ConnectionSet::new(),
                        accepted_by: ConnectionSet::new(),
                    });
                }
            }
        }
        let run = Self {
            limits,
            set_aside: SetAside::Never,
            up_to: bounds.iter().copied().max().unwrap_or(Sequence::ZERO),
            bounds,
            fresh,
            open: Vec::new(),
            serving: Vec::new(),
            listed: ConnectionSet::new(),
            cursor: None,
            more: false,
            // At least a page, or the replay would be deferred again and again without pushing anything.
            drain: if replays { limits.replay_drain.max(limits.page) } else { limits.inline_drain },
            rows: Vec::new(),
            pushes: Vec::new(),
            attempt: 0,
            not_yet_open: false,
            deletes: Vec::new(),
            marks: Vec::new(),
            look_again: false,
            completed: false,
            retry_from: None,
            leaves_rest: false,
            step: Step::List,
            stats: Stats::default(),
        };
        (run, Command::ListConnections)
    }

    /// Sets which notifications a new run puts into the mailbox instead of trying to push them again. For these it has
    /// a replay scheduled.
    #[must_use]
    pub fn set_aside(self, set_aside: SetAside) -> Self {
        Self { set_aside, ..self }
    }

    /// Takes the answer to the last command and returns the next command, [`Command::Finish`] at the end.
    ///
    /// An event that does not answer the last command fails the run, as [`Event::Failed`] does.
    pub fn on(&mut self, event: Event<B>, now: Timestamp) -> Command<B> {
        match (self.step, event) {
            (Step::List, Event::Listed(connections)) => self.listed(&connections, now),
            (Step::Read, Event::Page { rows, more }) => self.page(rows, more, now),
            (Step::WriteAhead, Event::Done) => {
                self.look_again = true;
                self.push(now)
            }
            (Step::Push { since }, Event::Pushed(reports)) => self.pushed(&reports, since, now),
            (Step::Wait, Event::Waited) => self.push_pending(now),
            (Step::Wait, Event::OutOfTime) => self.out_of_time(now),
            // The pages so far are delivered, and a replay entry of its own delivers the rest.
            (Step::Read, Event::OutOfTime) if self.cursor.is_some() => self.defer(now),
            // If a closed connection's row stays in the table, the next push finds it again; the run need not
            // fail.
            (Step::Forget, Event::Done | Event::Failed) => self.complete_pushes(now),
            (Step::Delete, Event::Done) => self.mark(now),
            (Step::Mark, Event::Done) => {
                self.look_again = true;
                self.advance(now)
            }
            (Step::Hold, Event::Done) => {
                self.look_again = true;
                self.conclude()
            }
            (Step::Defer, Event::Done) => {
                self.completed = true;
                self.enqueue()
            }
            (Step::Enqueue, Event::Done) => self.finish(),
            _ => self.fail(),
        }
    }

    fn command(&mut self, step: Step, command: Command<B>) -> Command<B> {
        self.step = step;
        command
    }

    fn listed(&mut self, connections: &[OpenConnection], now: Timestamp) -> Command<B> {
        self.look_again = false;
        self.discard_fresh(|row| expired(&row.item, now), |stats| &mut stats.expired);
        // R6: the connections of earlier lists have been served.
        let appeared = |connection: &&OpenConnection| !self.listed.contains(&connection.id);
        self.serving = connections.iter().filter(appeared).cloned().collect();
        self.open.retain(|old| connections.iter().any(|new| new.id == old.id));
        self.open.extend(self.serving.iter().cloned());
        self.listed.extend(self.serving.iter().map(|connection| connection.id.clone()));
        if self.set_aside == SetAside::All && !self.open.is_empty() {
            return self.defer(now);
        }
        if self.serving.is_empty() { self.conclude() } else { self.read(None) }
    }

    /// R1: held notifications come before new ones.
    fn read(&mut self, after: Option<Sequence>) -> Command<B> {
        self.cursor = after;
        let due_for = self.serving.iter().map(|c| c.id.clone()).collect();
        let limit = self.limits.page.min(self.drain + 1);
        self.command(Step::Read, Command::ReadPage { after, up_to: self.up_to, due_for, limit })
    }

    fn page(&mut self, held: Vec<HeldItem<B>>, more: bool, now: Timestamp) -> Command<B> {
        self.cursor = held.last().map(|row| row.item.sequence).or(self.cursor);
        self.more = more;
        self.rows.clear();
        for HeldItem { item, pushed_to } in held {
            if let Some(row) = self.fresh.iter_mut().find(|row| row.item.sequence == item.sequence) {
                row.stored = true;
            } else if expired(&item, now) {
                self.stats.expired += 1;
                self.deletes.push(item.sequence);
            } else {
                self.rows.push(Row {
                    item,
                    replayed: true,
                    stored: true,
                    redelivered: false,
                    pushed_to,
                    accepted_by: ConnectionSet::new(),
                });
            }
        }
        if self.rows.len() > self.drain {
            return self.defer(now);
        }
        self.drain -= self.rows.len();
        // New notifications follow when the held ones are delivered.
        if self.rows.is_empty() && !self.more { self.push_fresh(now) } else { self.push(now) }
    }

    fn push_fresh(&mut self, now: Timestamp) -> Command<B> {
        self.rows = std::mem::take(&mut self.fresh);
        self.write_ahead(now)
    }

    /// R4: if a client acknowledges, new notifications go into the mailbox before they are pushed.
    fn write_ahead(&mut self, now: Timestamp) -> Command<B> {
        if !self.acknowledged() {
            return self.push(now);
        }
        let pushed_to: ConnectionSet = self.serving.iter().map(|c| c.id.clone()).collect();
        let mut puts = Vec::new();
        for row in self.rows.iter_mut().filter(|row| !row.replayed && holds(&row.item)) {
            row.stored = true;
            puts.push(HeldItem { item: row.item.clone(), pushed_to: pushed_to.clone() });
        }
        if puts.is_empty() { self.push(now) } else { self.command(Step::WriteAhead, Command::Put(puts)) }
    }

    fn push(&mut self, now: Timestamp) -> Command<B> {
        self.attempt = 0;
        self.pushes.clear();
        for connection in &self.serving {
            // R5: a row is due on every connection to which it was not pushed.
            let due = self.rows.iter().enumerate().filter(|(_, row)| !row.pushed_to.contains(&connection.id));
            let lens = due.map(|(index, row)| (index, row.item.len));
            let frames = frames::split(connection.format, lens, self.limits.batch_bytes);
            self.pushes.push(PushState { connection: connection.clone(), frames, accepted: 0, gone: false });
        }
        self.push_pending(now)
    }

    fn push_pending(&mut self, now: Timestamp) -> Command<B> {
        let requests: Vec<_> = self
            .pushes
            .iter()
            .filter(|push| push.is_pending())
            .map(|push| PushRequest {
                connection: push.connection.id.clone(),
                format: push.connection.format,
                frames: push.frames[push.accepted..].iter().map(|rows| self.frame(rows)).collect(),
            })
            .collect();
        if requests.is_empty() {
            self.complete_pushes(now)
        } else {
            self.command(Step::Push { since: now }, Command::Push(requests))
        }
    }

    fn frame(&self, rows: &[usize]) -> Frame<B> {
        let item = |&index: &usize| {
            let row = &self.rows[index];
            FrameItem { item: row.item.clone(), replayed: row.replayed }
        };
        Frame { items: rows.iter().map(item).collect() }
    }

    fn pushed(&mut self, reports: &[PushReport], since: Timestamp, now: Timestamp) -> Command<B> {
        let mut progress = false;
        self.not_yet_open = false;
        let pending = self.pushes.iter_mut().filter(|push| push.is_pending());
        for (push, report) in pending.zip(reports) {
            let accepted = report.accepted.min(push.frames.len() - push.accepted);
            for &index in push.frames[push.accepted..push.accepted + accepted].iter().flatten() {
                self.rows[index].accepted_by.insert(push.connection.id.clone());
            }
            push.accepted += accepted;
            progress |= accepted > 0;
            // R3: within the grace period, 410 means that the connection is not yet open. The time of the
            // command counts: the push may have been refused at once, while its report waits for the slowest
            // connection. By then the grace period may be over and the connection open.
            let grace_over =
                self.limits.grace.is_zero() || since >= push.connection.connected_at.plus(self.limits.grace);
            let is_missing = push.is_pending() && report.refusal == Some(Refusal::Gone);
            push.gone = is_missing && grace_over;
            self.not_yet_open |= is_missing && !grace_over;
        }
        if self.pushes.iter().any(PushState::is_pending) {
            let attempt = if progress { 0 } else { self.attempt };
            self.attempt = attempt + 1;
            return self.command(Step::Wait, Command::Wait { attempt });
        }
        self.forget(now)
    }

    fn out_of_time(&mut self, now: Timestamp) -> Command<B> {
        let pending: BTreeSet<usize> =
            self.pushes.iter().filter(|push| push.is_pending()).flat_map(PushState::remaining).collect();
        // Only if a row is done with does the next run have fewer. Else it would repeat the same ones at once.
        let has_progress = !pending.contains(&0);
        let is_blocked = self.set_aside != SetAside::Never && !self.fresh.is_empty() && !self.not_yet_open;
        let are_held = pending.iter().all(|index| self.rows[*index].replayed);
        self.leaves_rest = are_held && (has_progress || is_blocked);
        if self.leaves_rest && !has_progress {
            self.set_aside = SetAside::All;
        }
        if !self.leaves_rest {
            let undelivered = pending.first().map_or(Sequence::ZERO, |index| self.rows[*index].item.sequence);
            self.retry_from = self.bounds.iter().position(|bound| *bound >= undelivered);
        }
        self.forget(now)
    }

    fn forget(&mut self, now: Timestamp) -> Command<B> {
        let gone: Vec<_> = self.pushes.iter().filter(|p| p.gone).map(|p| p.connection.clone()).collect();
        if gone.is_empty() {
            return self.complete_pushes(now);
        }
        self.stats.gone += gone.len();
        let still_there = |connection: &OpenConnection| !gone.iter().any(|other| other.id == connection.id);
        self.open.retain(still_there);
        self.serving.retain(still_there);
        self.command(Step::Forget, Command::Forget(gone))
    }

    /// Decides which of the pushed rows to delete, to mark or to hold.
    fn complete_pushes(&mut self, now: Timestamp) -> Command<B> {
        let acknowledged = self.acknowledged();
        let pushes = std::mem::take(&mut self.pushes);
        let pending: BTreeSet<usize> =
            pushes.iter().filter(|p| p.is_pending()).flat_map(PushState::remaining).collect();
        let by_push_mode = |row: &Row<B>| {
            let push_mode = pushes.iter().filter(|push| !push.connection.acknowledges);
            push_mode.into_iter().any(|push| row.accepted_by.contains(&push.connection.id))
        };
        // Not written ahead, so no ack would remove a row that an earlier run deferred.
        let never_held = |row: &Row<B>| !row.replayed && !holds(&row.item);
        let mut fresh = Vec::new();
        for (index, row) in std::mem::take(&mut self.rows).into_iter().enumerate() {
            let accepted = !row.accepted_by.is_empty();
            if accepted {
                let counter = if row.replayed { &mut self.stats.replayed } else { &mut self.stats.delivered };
                *counter += 1;
            }
            if acknowledged && row.replayed && accepted {
                self.marks.push((row.item.sequence, row.accepted_by));
            } else if pending.contains(&index) {
                // The run fails from this row on; the row stays where it is.
            } else if accepted && (never_held(&row) || (!acknowledged && by_push_mode(&row))) {
                if row.stored || row.redelivered {
                    self.deletes.push(row.item.sequence);
                }
            } else if !accepted && !row.stored {
                fresh.push(row);
            } else if !accepted && !row.replayed {
                self.stats.held += 1;
            }
        }
        self.fresh.append(&mut fresh);
        self.delete(now)
    }

    fn delete(&mut self, now: Timestamp) -> Command<B> {
        if self.deletes.is_empty() {
            return self.mark(now);
        }
        let deletes = std::mem::take(&mut self.deletes);
        self.command(Step::Delete, Command::Delete(deletes))
    }

    /// R4: held rows are marked after the push.
    fn mark(&mut self, now: Timestamp) -> Command<B> {
        if self.marks.is_empty() {
            return self.advance(now);
        }
        let marks = std::mem::take(&mut self.marks);
        self.command(Step::Mark, Command::Mark(marks))
    }

    fn advance(&mut self, now: Timestamp) -> Command<B> {
        if self.retry_from.is_some() {
            self.finish()
        } else if self.leaves_rest {
            self.defer(now)
        } else if self.more && !self.serving.is_empty() {
            self.read(self.cursor)
        } else if !self.fresh.is_empty() && !self.serving.is_empty() {
            self.push_fresh(now)
        } else {
            self.conclude()
        }
    }

    /// Nothing is left to push: holds what no connection took, and lists the connections again after a write.
    fn conclude(&mut self) -> Command<B> {
        self.discard_fresh(|row| !holds(&row.item), |stats| &mut stats.dropped);
        if !self.fresh.is_empty() {
            let rows = std::mem::take(&mut self.fresh);
            self.stats.held += rows.len();
            // R2: put, then list the connections again.
            return self.command(Step::Hold, Command::Put(rows.into_iter().map(Row::into_held).collect()));
        }
        self.completed = true;
        if self.look_again {
            return self.command(Step::List, Command::ListConnections);
        }
        self.finish()
    }

    /// R1: more rows are held than the run can push first, or it is set aside, so the new notifications go into
    /// the mailbox behind them.
    fn defer(&mut self, now: Timestamp) -> Command<B> {
        self.rows.clear();
        // The run of the replay entry deletes the expired rows.
        self.stats.expired -= std::mem::take(&mut self.deletes).len();
        let latest = now.plus(self.limits.drop_hold);
        let rows: Vec<_> = std::mem::take(&mut self.fresh)
            .into_iter()
            .map(|mut row| {
                if !holds(&row.item) {
                    row.item.expires_at = Some(row.item.expires_at.map_or(latest, |at| at.min(latest)));
                }
                row.into_held()
            })
            .collect();
        self.stats.deferred += rows.len();
        if rows.is_empty() { self.enqueue() } else { self.command(Step::Defer, Command::Put(rows)) }
    }

    fn enqueue(&mut self) -> Command<B> {
        let replay = match self.set_aside {
            SetAside::All => Command::ScheduleReplay,
            SetAside::Never | SetAside::Blocked => Command::EnqueueReplay(self.up_to),
        };
        self.command(Step::Enqueue, replay)
    }

    fn finish(&mut self) -> Command<B> {
        let done = self.retry_from.unwrap_or(self.bounds.len());
        let outcome = |index| if index < done { Outcome::Done } else { Outcome::Retry };
        let outcomes = (0..self.bounds.len()).map(outcome).collect();
        self.command(Step::Finished, Command::Finish(Report { outcomes, stats: self.stats }))
    }

    /// Ends the run for redelivery: of all entries, or, if only held rows are left to deliver, from the first
    /// entry that covers all of them.
    fn fail(&mut self) -> Command<B> {
        let covers_all = self.bounds.iter().position(|bound| *bound == self.up_to);
        self.retry_from = if self.completed { covers_all } else { Some(0) };
        self.finish()
    }

    /// Returns true if a connected client acknowledges. Rows then leave the mailbox only on its
    /// acknowledgement.
    fn acknowledged(&self) -> bool {
        self.open.iter().any(|connection| connection.acknowledges)
    }

    /// Discards the new notifications that match, and counts them.
    fn discard_fresh(
        &mut self,
        matches: impl Fn(&Row<B>) -> bool,
        counter: impl Fn(&mut Stats) -> &mut usize,
    ) {
        let before = self.fresh.len();
        self.fresh.retain(|row| !matches(row));
        *counter(&mut self.stats) += before - self.fresh.len();
    }
}

impl<B> Row<B> {
    fn into_held(self) -> HeldItem<B> {
        HeldItem { item: self.item, pushed_to: ConnectionSet::new() }
    }
}

fn expired<B>(item: &Item<B>, now: Timestamp) -> bool {
    item.expires_at.is_some_and(|at| at <= now)
}

fn holds<B>(item: &Item<B>) -> bool {
    item.when_offline == WhenOffline::Hold
}
