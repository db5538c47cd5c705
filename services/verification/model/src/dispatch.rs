//! Steps of the dispatcher: its commands carried out on the tables, the queue and the sockets.

use std::sync::Arc;

use dispatcher::core::run::{PushReport, Refusal};

use crate::action::Outcome;
use crate::ids::MAX_DEVICES;
use crate::model::Delivery;
use crate::queue::{Entry, QueuedEntry};
use crate::rule::Rule;
use crate::set::Set;
use crate::state::{DispatcherRun, PushProgress, Socket, State, Violation};
use crate::task::{Answer, Task};

impl Delivery {
    /// Carries out the dispatcher's command, or the next row of it.
    pub(crate) fn dispatch(&self, state: &mut State, outcome: Outcome) {
        let Some(run) = state.dispatcher.clone() else { return };
        let task = &run.machine.task;
        if !run.late_puts.is_empty() && !matches!(task, Task::Put(_) | Task::Wait) {
            for (n, pushed_to) in &run.late_puts {
                state.put(*n, *pushed_to);
            }
            if let Some(run) = &mut state.dispatcher {
                run.late_puts.clear();
            }
        }
        let answer = match task {
            Task::Finish(outcomes) => {
                self.complete(state, run.received, outcomes);
                return;
            }
            Task::Wait | Task::Read { .. } if outcome == Outcome::OutOfTime => {
                state.faults.timeouts -= 1;
                Answer::OutOfTime
            }
            Task::Wait => Answer::Waited,
            _ if outcome == Outcome::FailedBefore => Answer::Failed,
            Task::List => self.list(state, &run),
            Task::Read { .. } => self.page(state, &run),
            Task::Enqueue(up_to) => {
                if self.without != Some(Rule::QueueReplayWhenDeferred) {
                    state.queue.push(QueuedEntry { entry: Entry::Replay(*up_to), received: false });
                }
                Answer::Done
            }
            Task::Schedule => {
                state.due = true;
                Answer::Done
            }
            // Pushed frame by frame: see `push_frame`.
            Task::Push(_) => return,
            task => {
                self.write(state, task, self.next_row(&run));
                if outcome == Outcome::Done && usize::from(run.written) + 1 < task.steps() {
                    if let Some(run) = &mut state.dispatcher {
                        run.written += 1;
                    }
                    return;
                }
                Answer::Done
            }
        };
        if matches!(outcome, Outcome::FailedBefore | Outcome::FailedAfter) {
            state.faults.port_failures -= 1;
            self.answer(state, Answer::Failed);
        } else {
            self.answer(state, answer);
        }
    }

    /// The index of the row that the run's command writes next.
    pub(crate) fn next_row(&self, run: &DispatcherRun) -> usize {
        let written = usize::from(run.written);
        if self.scope.reversed_writes { run.machine.task.steps() - 1 - written } else { written }
    }

    /// The connections that a list shows to the run.
    pub(crate) fn listing(&self, state: &State, run: &DispatcherRun) -> Set {
        match run.first_listed {
            Some(first) if first.is_empty() == (self.without == Some(Rule::LookAgainAfterStoring)) => first,
            _ => state.listed(),
        }
    }

    fn list(&self, state: &mut State, run: &DispatcherRun) -> Answer {
        let listing = self.listing(state, run);
        let keeps_first = matches!(
            self.without,
            Some(Rule::LookAgainAfterStoring | Rule::LookAgainBeforeFinishing | Rule::LookAgainAfterMarking)
        );
        if let Some(run) = &mut state.dispatcher {
            if keeps_first {
                run.first_listed.get_or_insert(listing);
            }
            run.listed = Some(run.listed.unwrap_or_default().union(listing));
        }
        Answer::Listed(listing)
    }

    /// All rows that the run's read finds due. Its page has the first of them, up to the read's limit.
    pub(crate) fn due(&self, state: &State, run: &DispatcherRun) -> Vec<u8> {
        let Task::Read { after, up_to, due_for, .. } = run.machine.task else { return Vec::new() };
        let is_due = |n: &u8| {
            let pushed_to = state.pushed_to[usize::from(*n)];
            let pushed = match self.without {
                Some(Rule::PerConnection) => !pushed_to.is_empty(),
                _ => due_for.without(pushed_to).is_empty(),
            };
            !run.only_new && after < *n && *n <= up_to && !pushed
        };
        state.held.iter().filter(is_due).collect()
    }

    fn page(&self, state: &mut State, run: &DispatcherRun) -> Answer {
        let Task::Read { due_for, limit, .. } = run.machine.task else { return Answer::Failed };
        let mut due = self.due(state, run);
        let more = due.len() > limit;
        due.truncate(limit);
        let rows = due.iter().map(|n| (*n, state.pushed_to[usize::from(*n)])).collect();
        if self.without == Some(Rule::MarkAfterPush)
            && due_for.iter().any(|i| self.live[usize::from(i)].acknowledges)
        {
            for n in due {
                state.mark(n, due_for);
            }
        }
        Answer::Page(rows, more)
    }

    /// Carries out one row of a write.
    fn write(&self, state: &mut State, task: &Task, row: usize) {
        match task {
            Task::Put(rows) => {
                let (n, pushed_to) = rows[row];
                if let Some(run) = &mut state.dispatcher {
                    // From here on, reads look for the row that was put, which is the subject of R2.
                    run.only_new = false;
                    if self.without == Some(Rule::LookAgainAfterMarking) {
                        run.first_listed = None;
                    }
                }
                let ahead = !pushed_to.is_empty();
                match self.without {
                    Some(Rule::WriteAhead) if ahead => {}
                    Some(Rule::WriteBeforePush) if ahead => {
                        if let Some(run) = &mut state.dispatcher {
                            run.late_puts.push((n, pushed_to));
                        }
                    }
                    _ => state.put(n, pushed_to),
                }
            }
            Task::Delete(rows) => state.delete(rows[row]),
            Task::Mark(rows) => {
                let (n, connections) = rows[row];
                if state.held.contains(n) || self.without == Some(Rule::MarkOnlyIfThere) {
                    state.mark(n, connections);
                }
            }
            Task::Forget(gone) => gone.iter().for_each(|index| state.connection(index).row = false),
            _ => {}
        }
    }

    /// Pushes the next frame of an order. After the last frame of all orders the machine gets its answer.
    pub(crate) fn push_frame(&self, state: &mut State, order: u8, outcome: Outcome) {
        let Some(mut run) = state.dispatcher.take() else { return };
        let machine = Arc::clone(&run.machine);
        let Task::Push(orders) = &machine.task else { return };
        let order = &orders[usize::from(order)];
        let index = order.connection;
        let push = &mut run.pushes[usize::from(index)];
        let socket = state.connections[usize::from(index)].socket;
        if outcome == Outcome::FailedBefore {
            push.refusal = Some(Refusal::Unavailable);
        } else if matches!(socket, Socket::Handshaking | Socket::Closed) {
            push.refusal = Some(Refusal::Gone);
        } else {
            if socket == Socket::Open {
                for n in &order.frames[usize::from(push.accepted)] {
                    state.deliver(index, *n, self.scope.devices[usize::from(index)].acknowledges);
                }
            }
            if outcome == Outcome::FailedAfter {
                push.refusal = Some(Refusal::Unavailable);
            } else {
                push.accepted += 1;
            }
        }
        push.finished = push.refusal.is_some() || usize::from(push.accepted) == order.frames.len();
        if outcome != Outcome::Done {
            state.faults.push_errors -= 1;
        }
        if outcome == Outcome::FailedAfter {
            state.allow_repeats();
        }
        let pushes = run.pushes;
        let reports = || orders.iter().map(|order| (order.connection, pushes[usize::from(order.connection)]));
        if reports().any(|(_, push)| !push.finished) {
            state.dispatcher = Some(run);
            return;
        }
        let refused = reports().filter(|(_, push)| push.refusal.is_some()).map(|(index, _)| index).collect();
        let is_temporary = reports().any(|(_, push)| push.refusal == Some(Refusal::Unavailable));
        run.refused = (refused, is_temporary);
        state.dispatcher = Some(run);
        let report = |(_, push): (u8, PushProgress)| PushReport {
            accepted: usize::from(push.accepted),
            refusal: push.refusal,
        };
        self.answer(state, Answer::Pushed(reports().map(report).collect()));
    }

    /// Ends a run: entries that are done leave the queue.
    fn complete(&self, state: &mut State, received: u8, outcomes: &[bool]) {
        state.dispatcher = None;
        let received = usize::from(received);
        let done = outcomes.iter().take_while(|done| **done).count();
        if outcomes.len() != received || outcomes[done..].contains(&true) {
            let problem = "the outcomes are not some done, then all to be retried";
            state.violation = Some(Violation::InvalidOutput(problem));
            return;
        }
        if done < received {
            state.allow_repeats();
            match self.without {
                Some(Rule::RetryTheRest) => drop(state.queue.drain(done + 1..received)),
                Some(Rule::FailureKeepsItsPlace) => {
                    let failed = state.queue.remove(done);
                    state.queue.push(failed);
                }
                _ => {}
            }
        }
        if self.without == Some(Rule::FailureStopsThatUserOnly) && state.faults.timeouts > 0 {
            state.faults.timeouts -= 1;
            return;
        }
        state.queue.drain(..done);
    }

    /// Gives the machine the answer to its command.
    fn answer(&self, state: &mut State, answer: Answer) {
        let now = state.now();
        let (graces_over, connected) = (state.graces_over, state.connected);
        let Some(run) = &mut state.dispatcher else { return };
        run.machine = self.machines.answer_run(&run.machine, answer, now, (&self.live, connected));
        run.written = 0;
        run.listed.get_or_insert_default();
        run.pushes = [PushProgress::default(); MAX_DEVICES];
        run.grace_over_at_order = match run.machine.task {
            Task::Push(_) => graces_over,
            _ => Set::default(),
        };
        if run.machine.task != Task::Wait {
            run.refused = (Set::default(), false);
        }
    }
}
