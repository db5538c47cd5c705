//! Partial-order reduction: fewer orders of actions, without fewer states that matter.
//!
//! Two steps that neither see nor change what the other sees or changes lead to the same state in either
//! order, so one order is enough. A step of a service comes at once if nothing can interfere with it
//! ([`Delivery::immediate_step`]). An action from outside comes as late as possible: just before a step that
//! observes it ([`Observers`]). A scope can switch the reduction off, and a test compares both.

use crate::action::{Action, Outcome};
use crate::model::Delivery;
use crate::scope::Faults;
use crate::set::Set;
use crate::state::{DispatcherRun, Socket, State};
use crate::task::Task;

impl Delivery {
    /// A step that may come at once, because no action that could come before it affects it or is affected by
    /// it:
    ///
    /// - The first list of a run and the first read of a replay: actions between receiving and reading can
    ///   come before receiving just as well.
    /// - A read of the mailbox by the dispatcher while no ack can come and time can't run out, because only the
    ///   dispatcher writes to it.
    /// - A write of the dispatcher once it can't crash any more and nobody else can read the mailbox.
    /// - The deletion of the rows of connections that are gone. Only a later list sees it, and a crash before
    ///   it could also come before the push that was refused.
    /// - The end of the grace of a closed connection while no time runs out. The push is tried again until
    ///   then, and everything that happens meanwhile can come before or after.
    /// - The end of a run or a replay that can't crash any more.
    pub(crate) fn immediate_step(&self, state: &State) -> Option<Action> {
        if state.violation.is_some() || !self.scope.reduced {
            return None;
        }
        let faults = &state.faults;
        let no_ack_can_come = || state.connections.iter().all(|c| c.unacknowledged.is_empty());
        let dispatcher = state.dispatcher.as_ref().is_some_and(|run| match &run.machine.task {
            Task::List => faults.port_failures == 0 && run.listed.is_none(),
            Task::Read { after, .. } => {
                faults.port_failures == 0 && (*after == 0 || faults.timeouts == 0) && no_ack_can_come()
            }
            Task::Put(_) | Task::Delete(_) | Task::Mark(_) => {
                let nobody_reads = || {
                    state.connections.len() == self.scope.devices.len()
                        && state.connections.iter().all(|connection| !connection.stream_record)
                };
                let no_faults = faults.port_failures == 0 && faults.crashes == 0;
                no_faults && no_ack_can_come() && nobody_reads()
            }
            Task::Forget(_) => faults.port_failures == 0,
            Task::Finish(_) => faults.crashes == 0,
            _ => false,
        });
        if dispatcher {
            return Some(Action::Dispatch(Outcome::Done));
        }
        let replayer = state.replayer.as_ref().is_some_and(|run| match run.machine.command {
            replayer::Command::ReadKeys { after: None, .. } => {
                faults.port_failures == 0 && faults.timeouts == 0
            }
            replayer::Command::Finish(_) => faults.crashes == 0 && faults.repeats == 0,
            _ => false,
        });
        replayer.then_some(Action::Replay(Outcome::Done)).or_else(|| self.immediate_end_of_grace(state))
    }

    /// The end of the grace of a closed connection to which frames are to be pushed.
    fn immediate_end_of_grace(&self, state: &State) -> Option<Action> {
        let run = state.dispatcher.as_ref().filter(|_| state.faults.timeouts == 0)?;
        let pushed = match run.machine.task {
            Task::Push(_) => self.pending(state, run),
            Task::Wait => run.refused.0,
            _ => return None,
        };
        let is_closed = |index: &u8| state.connections[usize::from(*index)].socket == Socket::Closed;
        pushed.without(state.graces_over).iter().find(is_closed).map(Action::EndGrace)
    }

    /// Makes states equal that differ only in facts that no later step reads:
    ///
    /// - Marks for connections that can't be served: they are not in the table and the run does not know
    ///   them.
    /// - The connections that a finished run has listed.
    /// - Between runs, the graces that are over. Only runs use them, and each run asks again, so a grace may
    ///   turn out to be over when it is asked for. A run may then find a connection within its grace after an
    ///   earlier run found it past its grace. That allows more than can happen, not less.
    pub(crate) fn normalise(&self, state: &mut State) {
        if !self.scope.reduced {
            return;
        }
        let mut known = state.listed();
        match &mut state.dispatcher {
            Some(DispatcherRun { machine, listed, .. }) if !matches!(machine.task, Task::Finish(_)) => {
                known = known.union(listed.unwrap_or_default());
            }
            finished => {
                if let Some(DispatcherRun { listed, refused, .. }) = finished {
                    *listed = Some(Set::default());
                    *refused = (Set::default(), false);
                }
                state.forget_graces();
            }
        }
        for pushed_to in &mut state.pushed_to {
            *pushed_to = pushed_to.without(pushed_to.without(known));
        }
    }

    /// The connections to which a frame may be pushed next: all with frames left. If all get the same frames
    /// and no fault can interfere any more, one connection after the other is enough, because a push to one
    /// neither sees nor changes anything that belongs to another.
    pub(crate) fn pending(&self, state: &State, run: &DispatcherRun) -> Set {
        let Task::Push(orders) = &run.machine.task else { return Set::default() };
        let waiting = orders.iter().map(|order| order.connection);
        let waiting: Set = waiting.filter(|index| !run.pushes[usize::from(*index)].finished).collect();
        let in_turn = self.scope.reduced
            && state.faults.crashes == 0
            && state.faults.push_errors == 0
            && orders.windows(2).all(|pair| pair[0].frames == pair[1].frames);
        if !in_turn {
            return waiting;
        }
        // The choice must not depend on names.
        let first = waiting.iter().min_by_key(|index| self.connection_key(state, usize::from(*index)));
        first.into_iter().collect()
    }

    /// True if an action from outside is worth exploring now: a step that can come next observes it, or the
    /// scope is not reduced.
    pub(crate) fn is_observable(&self, state: &State, observers: &Observers, action: Action) -> bool {
        !self.scope.reduced || observers.observe(state, action)
    }
}

/// The steps that can come next, described by the facts that they observe.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate fact about the next steps")]
pub(crate) struct Observers {
    /// Connections are listed, or entries received.
    lists: bool,
    /// The dispatcher reads the mailbox or writes to it.
    uses_mailbox: bool,
    /// The dispatcher puts rows.
    puts: bool,
    /// An entry is put into the queue.
    sends: bool,
    /// No run of the dispatcher is in progress.
    receives: bool,
    /// Connections of the push in progress, or of refused pushes.
    pushed: Set,
    /// Those of them that get the next frame, or that refused.
    pending: Set,
    /// The replayer reads keys, or may do so.
    reads_keys: bool,
    /// The order of the replayer's next step and of other steps makes a difference.
    pub(crate) replays: bool,
    /// The order of the replayer's next stream record and of other steps makes a difference.
    reads: bool,
    /// The services have nothing to do but to handle stream records.
    idle: bool,
}

impl Observers {
    /// The observers of a state.
    pub(crate) fn of(model: &Delivery, state: &State) -> Self {
        let mut observers = Self::default();
        match state.dispatcher.as_ref().map(|run| (run, &run.machine.task)) {
            None => {
                observers.receives = true;
                observers.lists = !state.queue.is_empty();
            }
            Some((_, Task::List)) => observers.lists = true,
            Some((_, Task::Put(_))) => (observers.puts, observers.uses_mailbox) = (true, true),
            Some((_, Task::Read { .. } | Task::Delete(_) | Task::Mark(_))) => observers.uses_mailbox = true,
            Some((_, Task::Enqueue(_) | Task::Schedule)) => observers.sends = true,
            Some((run, Task::Push(orders))) => {
                observers.pending = model.pending(state, run);
                let in_turn = observers.pending.len() == 1;
                let all = || orders.iter().map(|order| order.connection).collect();
                observers.pushed = if in_turn { observers.pending } else { all() };
            }
            Some((run, Task::Wait)) => {
                observers.pushed = run.refused.0;
                observers.pending = run.refused.0;
            }
            Some((_, Task::Forget(_) | Task::Finish(_))) => {}
        }
        observers.sends |= state.due;
        observers.add_replayer(model, state);
        observers.idle = observers.receives && state.queue.is_empty() && state.replayer.is_none();
        observers
    }

    /// Adds the replayer's steps.
    ///
    /// The replayer's entries go behind all others. The moment at which it sends them is observed only by
    /// another sender, and by a dispatcher that could receive more than was queued before. Its reads are
    /// affected by the dispatcher's writes and by acks. It takes the next stream record only after the
    /// present one.
    fn add_replayer(&mut self, model: &Delivery, state: &State) {
        let acks_can_come = state.connections.iter().any(|c| !c.unacknowledged.is_empty());
        let accepts = state.accepted < model.scope.notifications;
        let takes_more = state.queue.len() < usize::from(model.scope.batch);
        let queues = self.sends || self.receives && (accepts || takes_more);
        let changes = self.uses_mailbox || acks_can_come;
        self.reads = queues || changes;
        let faults = Faults { push_errors: 0, ..state.faults };
        let (command, own) = match &state.replayer {
            Some(run) => (Some(&run.machine.command), Some(run.connection)),
            None => (None, None),
        };
        let others = (0..).zip(&state.connections).any(|(index, c)| c.stream_record && Some(index) != own);
        let reads_again =
            others || faults != Faults::default() || state.connections.len() < model.scope.devices.len();
        self.replays = queues || reads_again && (changes || self.receives);
        match command {
            Some(replayer::Command::Send(_)) => self.sends |= self.replays,
            Some(replayer::Command::ReadKeys { .. }) => self.reads_keys = true,
            Some(_) => {}
            None => self.reads_keys = others,
        }
    }

    fn observe(&self, state: &State, action: Action) -> bool {
        let socket = |index: u8| state.connections[usize::from(index)].socket;
        let row = |index: u8| state.connections[usize::from(index)].row;
        let no_records = || state.connections.iter().all(|connection| !connection.stream_record);
        let reads = || self.reads && (self.puts || !state.held.is_empty());
        match action {
            Action::Accept => self.receives || self.sends,
            Action::Connect => self.lists || state.replayer.is_none() && reads(),
            Action::Record(_) => self.idle || reads(),
            Action::Open(index) => self.pushed.contains(index) || self.idle && no_records(),
            Action::Close(index) => {
                self.pending.contains(index)
                    || self.lists && row(index)
                    || self.idle && no_records() && socket(index) == Socket::Handshaking
            }
            Action::HalfOpen(index) => self.pending.contains(index),
            Action::Disconnect(_) => self.lists,
            // A run uses the grace at the time of the push order once the push is refused. A grace that ends
            // after the order must make no difference if the connection has opened.
            Action::EndGrace(index) => match socket(index) {
                Socket::Closed => self.pending.contains(index),
                _ => {
                    self.pushed.contains(index) && !self.pending.contains(index) && was_refused(state, index)
                }
            },
            Action::Acknowledge(index, _) => {
                self.uses_mailbox || self.reads_keys || self.idle || self.pending.contains(index)
            }
            _ => true,
        }
    }
}

/// True if the push in progress was refused by this connection and goes on for others.
fn was_refused(state: &State, index: u8) -> bool {
    let run = state.dispatcher.as_ref();
    run.is_some_and(|run| run.pushes[usize::from(index)].refusal.is_some())
}
