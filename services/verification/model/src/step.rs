//! The effects of actions on the state.

use contract_notifications_v1::Sequence;
use dispatcher::core::run::SetAside;

use crate::action::{Action, Outcome};
use crate::edge;
use crate::ids::{IDENTITY, MAX_DEVICES, number, sequence, sequences};
use crate::machines::Machines;
use crate::model::Delivery;
use crate::queue::{Entry, QueuedEntry};
use crate::rule::Rule;
use crate::set::Set;
use crate::state::{Connection, DispatcherRun, PushProgress, ReplayerRun, Socket, State, Violation};

impl Delivery {
    /// The state before any action.
    pub fn start(&self) -> State {
        let state = State::new(self.scope.faults);
        State { fingerprint: self.identity(&state), ..state }
    }

    /// Applies an action that is enabled in `state`, and all steps that a reduced scope takes at once after
    /// it.
    pub fn apply(&self, state: &State, action: Action) -> State {
        self.apply_with(state, action, |_, _| {})
    }

    /// Applies an action like [`Delivery::apply`], calling `on_step` before each step with the state so far.
    pub(crate) fn apply_with(
        &self,
        state: &State,
        action: Action,
        mut on_step: impl FnMut(&State, Action),
    ) -> State {
        let mut state = state.clone();
        let mut next = Some(action);
        while let Some(action) = next {
            on_step(&state, action);
            self.step(&mut state, action);
            next = self.immediate_step(&state);
        }
        self.normalise(&mut state);
        state.fingerprint = self.identity(&state);
        state
    }

    fn step(&self, state: &mut State, action: Action) {
        match action {
            Action::Accept => accept(state),
            Action::Connect => connect(state),
            Action::Open(index) => state.connection(index).socket = Socket::Open,
            Action::Close(index) => end(state, index, Socket::Closed),
            Action::HalfOpen(index) => end(state, index, Socket::HalfOpen),
            Action::Disconnect(index) => state.connection(index).row = false,
            Action::EndGrace(index) => self.end_grace(state, index),
            Action::Acknowledge(index, n) => acknowledge(state, index, n),
            Action::Receive(count) => self.receive(state, count, self.scope.set_aside),
            Action::SetAside(count) => {
                state.faults.asides -= 1;
                self.receive(state, count, SetAside::All);
            }
            Action::Sweep => {
                state.due = false;
                if self.without != Some(Rule::SweepScheduledReplays) {
                    self.queue_replay(state, Sequence::MAX);
                }
            }
            Action::Dispatch(outcome) => self.dispatch(state, outcome),
            Action::Push(order, outcome) => self.push_frame(state, order, outcome),
            Action::DispatcherCrash => self.crash_dispatcher(state),
            Action::Record(index) => {
                let machine = Machines::start_replay(self.scope.replay_page, self.scope.replay_batch);
                state.replayer = Some(ReplayerRun { machine, connection: index });
            }
            Action::Replay(outcome) => self.replay(state, outcome),
            Action::ReplayerCrash => {
                state.replayer = None;
                state.faults.crashes -= 1;
            }
        }
    }

    fn receive(&self, state: &mut State, count: u8, set_aside: SetAside) {
        let entries = &mut state.queue[..usize::from(count)];
        let machine = self.machines.start_run(self.limits(), entries, set_aside);
        let mut only_new = true;
        for queued in entries {
            queued.received = matches!(queued.entry, Entry::Notification(_));
            only_new &= queued.received;
        }
        state.dispatcher = Some(DispatcherRun {
            machine,
            received: count,
            listed: None,
            written: 0,
            pushes: [PushProgress::default(); MAX_DEVICES],
            grace_over_at_order: Set::default(),
            refused: (Set::default(), false),
            only_new: only_new && self.without == Some(Rule::DrainFirst),
            late_puts: Vec::new(),
            first_listed: None,
        });
    }

    /// Ends the grace of a connection. In a reduced scope the grace of a closed connection turns out to have
    /// been over when the last push was ordered. The run knows times of connecting, so it is renamed if one
    /// changes.
    fn end_grace(&self, state: &mut State, index: u8) {
        let before = state.connected;
        if self.scope.reduced && state.connection(index).socket == Socket::Closed {
            state.backdate_grace(index);
        } else {
            state.end_grace(index);
        }
        if let Some(run) = &mut state.dispatcher
            && before != state.connected
        {
            run.machine = self.machines.rename_run(&run.machine, IDENTITY, state.connected);
        }
    }

    fn crash_dispatcher(&self, state: &mut State) {
        if let Some(run) = state.dispatcher.take()
            && self.without == Some(Rule::OneRunAtATime)
        {
            state.queue.rotate_left(usize::from(run.received));
        }
        state.faults.crashes -= 1;
        state.allow_repeats();
    }

    /// Queues a replay up to this notification. One of the whole mailbox covers what was accepted before it.
    fn queue_replay(&self, state: &mut State, up_to: Sequence) {
        let up_to = match self.without {
            _ if up_to != Sequence::MAX => number(up_to),
            Some(Rule::ReplayTheRest) => return,
            _ => state.accepted,
        };
        state.queue.push(QueuedEntry { entry: Entry::Replay(up_to), received: false });
    }

    /// The held notifications that a read of the replayer sees.
    pub(crate) fn visible_keys(&self, state: &State) -> Set {
        if self.without == Some(Rule::ReadConsistently) { Set::default() } else { state.held }
    }

    fn replay(&self, state: &mut State, outcome: Outcome) {
        let Some(ReplayerRun { machine, connection: index }) = state.replayer.take() else { return };
        let event = match &machine.command {
            replayer::Command::Finish(result) => {
                let reported = result.is_err() && self.without != Some(Rule::ReportFailedReplay);
                let repeated = outcome == Outcome::FailedAfter;
                state.faults.repeats -= u8::from(repeated);
                state.connection(index).stream_record = reported || repeated;
                return;
            }
            _ if outcome == Outcome::OutOfTime => {
                state.faults.timeouts -= 1;
                replayer::Event::OutOfTime
            }
            replayer::Command::Wait { .. } => replayer::Event::Waited,
            replayer::Command::ReadKeys { after, limit } => {
                let after = after.map_or(0, number);
                let mut keys = sequences(self.visible_keys(state).iter().filter(|key| *key > after));
                let more = keys.len() > *limit;
                keys.truncate(*limit);
                match outcome {
                    Outcome::Done => replayer::Event::KeysRead { sequences: keys, more },
                    _ => failed(state),
                }
            }
            replayer::Command::Send(batch) => {
                let accepted = match outcome {
                    Outcome::Done | Outcome::FailedAfter => batch.len(),
                    Outcome::Part => 1,
                    Outcome::FailedBefore | Outcome::OutOfTime => 0,
                };
                for up_to in batch.iter().take(accepted) {
                    self.queue_replay(state, *up_to);
                }
                match outcome {
                    Outcome::Done => replayer::Event::Sent { failed: Vec::new() },
                    Outcome::Part => {
                        state.faults.port_failures -= 1;
                        replayer::Event::Sent { failed: (1..batch.len()).collect() }
                    }
                    _ => failed(state),
                }
            }
        };
        let machine = self.machines.answer_replay(&machine, event);
        state.replayer = Some(ReplayerRun { machine, connection: index });
    }
}

fn failed(state: &mut State) -> replayer::Event {
    state.faults.port_failures -= 1;
    replayer::Event::Failed { retryable: true }
}

fn accept(state: &mut State) {
    state.accepted += 1;
    state.queue.push(QueuedEntry { entry: Entry::Notification(state.accepted), received: false });
}

/// The edge admits the next device and writes its row, whose insertion becomes a stream record.
fn connect(state: &mut State) {
    state.connections.push(Connection {
        socket: Socket::Handshaking,
        row: true,
        stream_record: true,
        received: Set::default(),
        unacknowledged: Set::default(),
    });
}

/// Ends a connection for its client, on which nothing arrives any more.
fn end(state: &mut State, index: u8, socket: Socket) {
    let connection = state.connection(index);
    connection.socket = socket;
    connection.received = Set::default();
}

/// The client's ack arrives and the edge clears the rows.
fn acknowledge(state: &mut State, index: u8, n: u8) {
    state.connection(index).unacknowledged.remove(n);
    match edge::cleared(sequence(n)) {
        Ok(rows) => rows.into_iter().for_each(|row| state.delete(number(row))),
        Err(_) => state.violation = Some(Violation::InvalidOutput("the edge does not take an ack")),
    }
}
