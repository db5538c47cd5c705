//! The steps of the dispatcher.

use std::sync::Arc;

use dispatcher::core::run::{Limits, PushReport, Refusal};

use crate::Delivery;
use crate::action::Outcome;
use crate::machine::{Answer, Task};
use crate::rule::Rule;
use crate::set::Set;
use crate::step::connection;
use crate::world::{Broken, Dispatch, Entry, MAX_DEVICES, Progress, Queued, Socket, World};

impl Delivery {
    /// The limits of the dispatcher's runs.
    pub fn limits(&self) -> Limits {
        let mut limits = self.scope.limits;
        if self.without == Some(Rule::HandshakeGrace) {
            limits.grace = std::time::Duration::ZERO;
        }
        limits
    }

    /// Carries out the command, or the next row of it.
    pub fn dispatch(&self, world: &mut World, outcome: Outcome) {
        let Some(dispatch) = world.dispatch.clone() else { return };
        let task = &dispatch.at.task;
        if !dispatch.puts_late.is_empty() && !matches!(task, Task::Put(_) | Task::Wait) {
            for (n, pushed_to) in &dispatch.puts_late {
                world.put(*n, *pushed_to);
            }
            if let Some(dispatch) = &mut world.dispatch {
                dispatch.puts_late.clear();
            }
        }
        let answer = match task {
            Task::Finish(outcomes) => {
                self.settle(world, dispatch.taken, outcomes);
                return;
            }
            Task::Wait if outcome == Outcome::OutOfTime => {
                world.faults.timeouts -= 1;
                Answer::OutOfTime
            }
            Task::Wait => Answer::Waited,
            _ if outcome == Outcome::FailedBefore => Answer::Failed,
            Task::List => self.list(world, &dispatch),
            Task::Read { .. } => self.page(world, &dispatch),
            Task::Enqueue(up_to) => {
                if self.without != Some(Rule::QueueReplayWhenDeferred) {
                    world.queue.push(Queued { entry: Entry::Replay(*up_to), received: false });
                }
                Answer::Done
            }
            // Pushed frame by frame: see `push_frame`.
            Task::Push(_) => return,
            task => {
                self.write(world, task, self.row(&dispatch));
                if outcome == Outcome::Done && usize::from(dispatch.written) + 1 < task.rows() {
                    if let Some(dispatch) = &mut world.dispatch {
                        dispatch.written += 1;
                    }
                    return;
                }
                Answer::Done
            }
        };
        if matches!(outcome, Outcome::FailedBefore | Outcome::FailedAfter) {
            world.faults.port_failures -= 1;
            self.answer(world, Answer::Failed);
        } else {
            self.answer(world, answer);
        }
    }

    /// Which row of its command is written next.
    pub(crate) fn row(&self, dispatch: &Dispatch) -> usize {
        let written = usize::from(dispatch.written);
        if self.scope.backwards { dispatch.at.task.rows() - 1 - written } else { written }
    }

    /// The connections that the dispatcher is told of.
    pub(crate) fn told(&self, world: &World, dispatch: &Dispatch) -> Set {
        match dispatch.first_listed {
            Some(first) if first.is_empty() == (self.without == Some(Rule::LookAgainAfterStoring)) => first,
            _ => world.listed(),
        }
    }

    fn list(&self, world: &mut World, dispatch: &Dispatch) -> Answer {
        let told = self.told(world, dispatch);
        let keeps_first = matches!(
            self.without,
            Some(Rule::LookAgainAfterStoring | Rule::LookAgainBeforeFinishing | Rule::LookAgainAfterMarking)
        );
        if let Some(dispatch) = &mut world.dispatch {
            if keeps_first {
                dispatch.first_listed.get_or_insert(told);
            }
            dispatch.told = Some(dispatch.told.unwrap_or_default().union(told));
        }
        Answer::Listed(told)
    }

    /// The rows that a read finds due, of which it gives at most as many as it was asked for.
    pub(crate) fn due(&self, world: &World, dispatch: &Dispatch) -> Vec<u8> {
        let Task::Read { after, up_to, due_for, .. } = dispatch.at.task else { return Vec::new() };
        let is_due = |n: &u8| {
            let pushed_to = world.pushed_to[usize::from(*n)];
            let pushed = match self.without {
                Some(Rule::PerConnection) => !pushed_to.is_empty(),
                _ => due_for.without(pushed_to).is_empty(),
            };
            !dispatch.new && after < *n && *n <= up_to && !pushed
        };
        world.held.iter().filter(is_due).collect()
    }

    fn page(&self, world: &mut World, dispatch: &Dispatch) -> Answer {
        let Task::Read { due_for, limit, .. } = dispatch.at.task else { return Answer::Failed };
        let mut due = self.due(world, dispatch);
        let more = due.len() > limit;
        due.truncate(limit);
        let rows = due.iter().map(|n| (*n, world.pushed_to[usize::from(*n)])).collect();
        if self.without == Some(Rule::MarkAfterPush)
            && due_for.iter().any(|i| self.lives[usize::from(i)].acknowledges)
        {
            for n in due {
                world.mark(n, due_for);
            }
        }
        Answer::Page(rows, more)
    }

    /// One row of a write.
    fn write(&self, world: &mut World, task: &Task, row: usize) {
        match task {
            Task::Put(rows) => {
                let (n, pushed_to) = rows[row];
                if let Some(dispatch) = &mut world.dispatch {
                    // What is looked for now is what was put, and that is R2's business.
                    dispatch.new = false;
                    if self.without == Some(Rule::LookAgainAfterMarking) {
                        dispatch.first_listed = None;
                    }
                }
                let ahead = !pushed_to.is_empty();
                match self.without {
                    Some(Rule::WriteAhead) if ahead => {}
                    Some(Rule::WriteBeforePush) if ahead => {
                        if let Some(dispatch) = &mut world.dispatch {
                            dispatch.puts_late.push((n, pushed_to));
                        }
                    }
                    _ => world.put(n, pushed_to),
                }
            }
            Task::Delete(rows) => world.delete(rows[row]),
            Task::Mark(rows) => {
                let (n, connections) = rows[row];
                if world.held.contains(n) || self.without == Some(Rule::MarkOnlyIfThere) {
                    world.mark(n, connections);
                }
            }
            Task::Forget(gone) => gone.iter().for_each(|index| connection(world, index).row = false),
            _ => {}
        }
    }

    /// Pushes the next frame of an order; with the last frame of all, the machine learns what became of
    /// them.
    pub fn push_frame(&self, world: &mut World, order: u8, outcome: Outcome) {
        let Some(mut dispatch) = world.dispatch.take() else { return };
        let at = Arc::clone(&dispatch.at);
        let Task::Push(orders) = &at.task else { return };
        let order = &orders[usize::from(order)];
        let index = order.connection;
        let push = &mut dispatch.pushes[usize::from(index)];
        let socket = world.connections[usize::from(index)].socket;
        if outcome == Outcome::FailedBefore {
            push.refusal = Some(Refusal::Unavailable);
        } else if matches!(socket, Socket::Handshaking | Socket::Closed) {
            push.refusal = Some(Refusal::Gone);
        } else {
            if socket == Socket::Open {
                for n in &order.frames[usize::from(push.accepted)] {
                    world.deliver(index, *n, self.scope.devices[usize::from(index)].acknowledges);
                }
            }
            if outcome == Outcome::FailedAfter {
                push.refusal = Some(Refusal::Unavailable);
            } else {
                push.accepted += 1;
            }
        }
        push.over = push.refusal.is_some() || usize::from(push.accepted) == order.frames.len();
        if outcome != Outcome::Done {
            world.faults.push_errors -= 1;
        }
        if outcome == Outcome::FailedAfter {
            world.delivered_again();
        }
        let pushes = dispatch.pushes;
        let reports = || orders.iter().map(|order| (order.connection, pushes[usize::from(order.connection)]));
        if reports().any(|(_, push)| !push.over) {
            world.dispatch = Some(dispatch);
            return;
        }
        let refused = reports().filter(|(_, push)| push.refusal.is_some()).map(|(index, _)| index).collect();
        let passing = reports().any(|(_, push)| push.refusal == Some(Refusal::Unavailable));
        dispatch.refused = (refused, passing);
        world.dispatch = Some(dispatch);
        let report = |(_, push): (u8, Progress)| PushReport {
            accepted: usize::from(push.accepted),
            refusal: push.refusal,
        };
        self.answer(world, Answer::Pushed(reports().map(report).collect()));
    }

    /// The run is over: what is done leaves the queue.
    fn settle(&self, world: &mut World, taken: u8, outcomes: &[bool]) {
        world.dispatch = None;
        let taken = usize::from(taken);
        let done = outcomes.iter().take_while(|done| **done).count();
        if outcomes.len() != taken || outcomes[done..].contains(&true) {
            world.broken = Some(Broken::Nonsense("the outcomes are not some done, then all to be retried"));
            return;
        }
        if done < taken {
            world.delivered_again();
            match self.without {
                Some(Rule::RetryTheRest) => drop(world.queue.drain(done + 1..taken)),
                Some(Rule::FailureKeepsItsPlace) => {
                    let failed = world.queue.remove(done);
                    world.queue.push(failed);
                }
                _ => {}
            }
        }
        if self.without == Some(Rule::FailureStopsThatUserOnly) && world.faults.timeouts > 0 {
            world.faults.timeouts -= 1;
            return;
        }
        world.queue.drain(..done);
    }

    /// The machine takes the answer to its command.
    fn answer(&self, world: &mut World, answer: Answer) {
        let now = world.now();
        let (graces_over, connected) = (world.graces_over, world.connected);
        let Some(dispatch) = &mut world.dispatch else { return };
        dispatch.at = self.machines.answer(&dispatch.at, answer, now, (&self.lives, connected));
        dispatch.written = 0;
        dispatch.told.get_or_insert_default();
        dispatch.pushes = [Progress::default(); MAX_DEVICES];
        dispatch.ordered = match dispatch.at.task {
            Task::Push(_) => graces_over,
            _ => Set::default(),
        };
        if dispatch.at.task != Task::Wait {
            dispatch.refused = (Set::default(), false);
        }
    }
}

impl World {
    /// Writes a row, whether or not it is there.
    pub fn put(&mut self, n: u8, pushed_to: Set) {
        self.held.insert(n);
        *self.row(n) = pushed_to;
    }

    /// Adds to a row's `pushedTo`.
    pub fn mark(&mut self, n: u8, connections: Set) {
        self.held.insert(n);
        let row = self.row(n);
        *row = row.union(connections);
    }

    /// Deletes a row, if it is there.
    pub fn delete(&mut self, n: u8) {
        self.held.remove(n);
        *self.row(n) = Set::default();
    }

    fn row(&mut self, n: u8) -> &mut Set {
        &mut self.pushed_to[usize::from(n)]
    }

    /// A notification arrives over a connection.
    fn deliver(&mut self, index: u8, n: u8, acknowledges: bool) {
        let connection = connection(self, index);
        let repeated = connection.received.contains(n);
        let mut broken = repeated.then_some(Broken::Repeated { notification: n, connection: index });
        connection.received.insert(n);
        if acknowledges {
            connection.unacknowledged.insert(n);
        }
        if !self.delivered.contains(n) {
            if let Some(later) = self.delivered.last().filter(|last| *last > n) {
                broken = Some(Broken::Order { first: n, later });
            }
            self.delivered.insert(n);
        }
        self.broken = self.broken.or(broken);
    }
}
