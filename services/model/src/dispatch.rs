//! The steps of the dispatcher.

use std::sync::Arc;

use dispatcher::core::run::{
    Command, Event, FrameItem, Held, Limits, Outcome as EntryOutcome, PushReport, Refusal, Report,
};

use crate::Delivery;
use crate::action::Outcome;
use crate::rule::Rule;
use crate::set::Set;
use crate::step::{connection, item};
use crate::world::{Broken, Dispatch, Entry, Queued, Socket, World, connection_id, connection_index, number};

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
        if !dispatch.puts_late.is_empty()
            && !matches!(dispatch.command, Command::Put(_) | Command::Wait { .. })
        {
            for (n, pushed_to) in &dispatch.puts_late {
                world.put(*n, *pushed_to);
            }
            if let Some(dispatch) = &mut world.dispatch {
                Arc::make_mut(dispatch).puts_late.clear();
            }
        }
        let event = match &dispatch.command {
            Command::Finish(report) => {
                self.settle(world, dispatch.taken, report);
                return;
            }
            Command::Wait { .. } if outcome == Outcome::OutOfTime => {
                world.faults.timeouts -= 1;
                Event::OutOfTime
            }
            Command::Wait { .. } => Event::Waited,
            _ if outcome == Outcome::FailedBefore => Event::Failed,
            Command::ListConnections => self.list(world, &dispatch),
            Command::ReadPage { .. } => self.page(world, &dispatch),
            Command::EnqueueReplay(up_to) => {
                if self.without != Some(Rule::QueueReplayWhenDeferred) {
                    world.queue.push(Queued { entry: Entry::Replay(number(*up_to)), received: false });
                }
                Event::Done
            }
            // Pushed frame by frame: see `push_frame`.
            Command::Push(_) => return,
            command => {
                self.write(world, command, self.row(&dispatch));
                if outcome == Outcome::Done && usize::from(dispatch.written) + 1 < rows(command) {
                    if let Some(dispatch) = &mut world.dispatch {
                        Arc::make_mut(dispatch).written += 1;
                    }
                    return;
                }
                Event::Done
            }
        };
        if matches!(outcome, Outcome::FailedBefore | Outcome::FailedAfter) {
            world.faults.port_failures -= 1;
            answer(world, Event::Failed);
        } else {
            answer(world, event);
        }
    }

    /// Which row of its command is written next.
    pub(crate) fn row(&self, dispatch: &Dispatch) -> usize {
        let written = usize::from(dispatch.written);
        if self.scope.backwards { rows(&dispatch.command) - 1 - written } else { written }
    }

    /// The connections that the dispatcher is told of.
    pub(crate) fn told(&self, world: &World, dispatch: &Dispatch) -> Set {
        match dispatch.first_listed {
            Some(first) if first.is_empty() == (self.without == Some(Rule::LookAgainAfterStoring)) => first,
            _ => world.listed(),
        }
    }

    fn list(&self, world: &mut World, dispatch: &Dispatch) -> Event<()> {
        let told = self.told(world, dispatch);
        let keeps_first =
            matches!(self.without, Some(Rule::LookAgainAfterStoring | Rule::LookAgainBeforeFinishing));
        if keeps_first && let Some(dispatch) = &mut world.dispatch {
            Arc::make_mut(dispatch).first_listed.get_or_insert(told);
        }
        Event::Listed(told.iter().map(|index| self.lives[usize::from(index)].clone()).collect())
    }

    /// The rows that a read finds due, of which it gives at most as many as it was asked for.
    pub(crate) fn due(&self, world: &World, dispatch: &Dispatch) -> Vec<u8> {
        let Command::ReadPage { after, up_to, due_for, .. } = &dispatch.command else { return Vec::new() };
        let due_for: Set = due_for.iter().map(connection_index).collect();
        let (after, up_to) = (after.map_or(0, number), number(*up_to));
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

    fn page(&self, world: &mut World, dispatch: &Dispatch) -> Event<()> {
        let Command::ReadPage { due_for, limit, .. } = &dispatch.command else { return Event::Failed };
        let mut due = self.due(world, dispatch);
        let more = due.len() > *limit;
        due.truncate(*limit);
        let rows = due.iter().map(|n| Held {
            item: item(*n),
            pushed_to: world.pushed_to[usize::from(*n)].iter().map(connection_id).collect(),
        });
        let rows = rows.collect();
        let due_for: Set = due_for.iter().map(connection_index).collect();
        if self.without == Some(Rule::MarkAfterPush)
            && due_for.iter().any(|i| self.lives[usize::from(i)].acknowledges)
        {
            for n in due {
                world.mark(n, due_for);
            }
        }
        Event::Page { rows, more }
    }

    /// One row of a write.
    fn write(&self, world: &mut World, command: &Command<()>, row: usize) {
        match command {
            Command::Put(rows) => {
                let Held { item, pushed_to } = &rows[row];
                let (n, ahead) = (number(item.sequence), !pushed_to.is_empty());
                let pushed_to = pushed_to.iter().map(connection_index).collect();
                match self.without {
                    Some(Rule::WriteAhead) if ahead => {}
                    Some(Rule::WriteBeforePush) if ahead => {
                        if let Some(dispatch) = &mut world.dispatch {
                            Arc::make_mut(dispatch).puts_late.push((n, pushed_to));
                        }
                    }
                    _ => world.put(n, pushed_to),
                }
            }
            Command::Delete(rows) => world.delete(number(rows[row])),
            Command::Mark(rows) => {
                let (sequence, connections) = &rows[row];
                let n = number(*sequence);
                if world.held.contains(n) || self.without == Some(Rule::MarkOnlyIfThere) {
                    world.mark(n, connections.iter().map(connection_index).collect());
                }
            }
            Command::Forget(rows) => connection(world, connection_index(&rows[row].id)).row = false,
            _ => {}
        }
    }

    /// Pushes the next frame of an order; with the last frame of all, the machine learns what became of
    /// them.
    pub fn push_frame(&self, world: &mut World, order: u8, outcome: Outcome) {
        let Some(mut dispatch) = world.dispatch.take() else { return };
        let this = Arc::make_mut(&mut dispatch);
        let Command::Push(orders) = &this.command else { return };
        let (order, (report, over)) = (&orders[usize::from(order)], &mut this.orders[usize::from(order)]);
        let index = connection_index(&order.connection);
        let socket = world.connections[usize::from(index)].socket;
        if outcome == Outcome::FailedBefore {
            report.refusal = Some(Refusal::Unavailable);
        } else if matches!(socket, Socket::Handshaking | Socket::Closed) {
            report.refusal = Some(Refusal::Gone);
        } else {
            for FrameItem { item, .. } in &order.frames[report.accepted].items {
                let n = number(item.sequence);
                if socket == Socket::Open {
                    world.deliver(index, n, self.scope.devices[usize::from(index)].acknowledges);
                } else {
                    world.swallowed.insert(n);
                }
            }
            if outcome == Outcome::FailedAfter {
                report.refusal = Some(Refusal::Unavailable);
            } else {
                report.accepted += 1;
            }
        }
        *over = report.refusal.is_some() || report.accepted == order.frames.len();
        if outcome != Outcome::Done {
            world.faults.push_errors -= 1;
            world.again += u8::from(outcome == Outcome::FailedAfter);
        }
        if this.orders.iter().any(|(_, over)| !over) {
            world.dispatch = Some(dispatch);
            return;
        }
        let refusals = this.orders.iter().zip(orders).filter(|((report, _), _)| report.refusal.is_some());
        let refused = refusals.map(|(_, order)| connection_index(&order.connection)).collect();
        let passing = this.orders.iter().any(|(report, _)| report.refusal == Some(Refusal::Unavailable));
        let reports = this.orders.iter().map(|(report, _)| *report).collect();
        this.refused = (refused, passing);
        world.dispatch = Some(dispatch);
        answer(world, Event::Pushed(reports));
    }

    /// The run is over: what is done leaves the queue.
    fn settle(&self, world: &mut World, taken: u8, report: &Report) {
        world.dispatch = None;
        let taken = usize::from(taken);
        let outcomes = &report.outcomes;
        let done = outcomes.iter().take_while(|outcome| **outcome == EntryOutcome::Done).count();
        if outcomes.len() != taken || outcomes[done..].contains(&EntryOutcome::Done) {
            world.broken = Some(Broken::Nonsense("the outcomes are not some done, then all to be retried"));
            return;
        }
        if done < taken {
            world.again += 1;
            match self.without {
                Some(Rule::RetryTheRest) => drop(world.queue.drain(done + 1..taken)),
                Some(Rule::FailureKeepsItsPlace) => {
                    let failed = world.queue.remove(done);
                    world.queue.push(failed);
                }
                _ => {}
            }
        }
        world.queue.drain(..done);
    }
}

/// The machine takes the answer to its command.
fn answer(world: &mut World, event: Event<()>) {
    let now = world.now();
    let Some(dispatch) = &mut world.dispatch else { return };
    let dispatch = Arc::make_mut(dispatch);
    dispatch.command = dispatch.run.on(event, now);
    dispatch.written = 0;
    dispatch.has_listed = true;
    dispatch.orders = match &dispatch.command {
        Command::Push(orders) => vec![(PushReport { accepted: 0, refusal: None }, false); orders.len()],
        _ => Vec::new(),
    };
    if !matches!(dispatch.command, Command::Wait { .. }) {
        dispatch.refused = (Set::default(), false);
    }
}

/// How many rows a command writes.
fn rows(command: &Command<()>) -> usize {
    match command {
        Command::Put(rows) => rows.len(),
        Command::Delete(rows) => rows.len(),
        Command::Mark(rows) => rows.len(),
        Command::Forget(rows) => rows.len(),
        _ => 1,
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
        let again = self.again;
        let connection = connection(self, index);
        let mut broken = None;
        if connection.received.contains(n) {
            connection.repeated.push(n);
            connection.repeated.sort_unstable();
            let times: usize = connection.repeated.iter().map(|repeated| usize::from(*repeated == n)).sum();
            if times > usize::from(again) {
                broken = Some(Broken::Repeated { notification: n, connection: index });
            }
        }
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
