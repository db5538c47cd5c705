//! The actions that are possible in a state.

use crate::action::{Action, Outcome};
use crate::model::Delivery;
use crate::reduce::Observers;
use crate::state::{DispatcherRun, ReplayerRun, Socket, State};
use crate::task::{PushRequest, Task};

impl Delivery {
    /// Replaces `actions` by all actions that are possible in `state`.
    pub fn enabled(&self, state: &State, actions: &mut Vec<Action>) {
        actions.clear();
        if state.violation.is_some() {
            return;
        }
        self.outside(state, actions);
        if state.due {
            actions.push(Action::Sweep);
        }
        if state.replayer.is_none() {
            let records = (0..).zip(&state.connections).filter(|(_, connection)| connection.stream_record);
            actions.extend(records.map(|(index, _)| Action::Record(index)));
        }
        let observers = Observers::of(self, state);
        actions.retain(|action| self.is_observable(state, &observers, *action));
        if let Some(run) = &state.dispatcher {
            self.dispatcher_actions(state, run, actions);
        } else {
            let most = u8::try_from(state.queue.len()).unwrap_or(u8::MAX).min(self.scope.batch);
            actions.extend((1..=most).map(Action::Receive));
            if state.faults.asides > 0 {
                actions.extend((1..=most).map(Action::SetAside));
            }
        }
        if let Some(run) = &state.replayer
            && (observers.replays || !self.scope.reduced)
        {
            replayer_actions(state, run, actions);
        }
    }

    /// Adds the actions of producers, devices and the gateway.
    fn outside(&self, state: &State, actions: &mut Vec<Action>) {
        if state.accepted < self.scope.notifications {
            actions.push(Action::Accept);
        }
        if state.connections.len() < self.scope.devices.len() {
            actions.push(Action::Connect);
        }
        for ((index, connection), device) in (0..).zip(&state.connections).zip(self.scope.devices) {
            match connection.socket {
                Socket::Handshaking => actions.extend([Action::Open(index), Action::Close(index)]),
                Socket::Open => {
                    actions.push(Action::Close(index));
                    // A device that does not acknowledge loses what a half-open connection accepts.
                    if device.acknowledges {
                        actions.push(Action::HalfOpen(index));
                    }
                }
                Socket::HalfOpen => actions.push(Action::Close(index)),
                Socket::Closed if connection.row => actions.push(Action::Disconnect(index)),
                Socket::Closed => {}
            }
            actions.extend(connection.unacknowledged.iter().map(|n| Action::Acknowledge(index, n)));
        }
        let graces = (0..).zip(&state.connections).filter(|(index, connection)| {
            // A handshake takes less time than the grace.
            let may_end = connection.socket != Socket::Handshaking && !state.graces_over.contains(*index);
            may_end && (self.scope.reduced || *index == state.graces_over.len())
        });
        actions.extend(graces.map(|(index, _)| Action::EndGrace(index)));
    }

    fn dispatcher_actions(&self, state: &State, run: &DispatcherRun, actions: &mut Vec<Action>) {
        let faults = state.faults;
        let mut add = |outcome| actions.push(Action::Dispatch(outcome));
        match &run.machine.task {
            Task::Push(orders) => {
                let pending = self.pending(state, run);
                for (order, PushRequest { connection, .. }) in (0..).zip(orders) {
                    if pending.contains(*connection) {
                        actions.push(Action::Push(order, Outcome::Done));
                        if faults.push_errors > 0 {
                            actions.push(Action::Push(order, Outcome::FailedBefore));
                            actions.push(Action::Push(order, Outcome::FailedAfter));
                        }
                    }
                }
            }
            Task::Wait => {
                if is_worth_retrying(state, run) {
                    add(Outcome::Done);
                }
                if faults.timeouts > 0 {
                    add(Outcome::OutOfTime);
                }
            }
            Task::Finish(_) => add(Outcome::Done),
            Task::List | Task::Read { .. } => {
                add(Outcome::Done);
                if faults.timeouts > 0 && matches!(run.machine.task, Task::Read { after: 1.., .. }) {
                    add(Outcome::OutOfTime);
                }
                if faults.port_failures > 0 {
                    add(Outcome::FailedBefore);
                }
            }
            _ => {
                add(Outcome::Done);
                if faults.port_failures > 0 {
                    add(Outcome::FailedBefore);
                    add(Outcome::FailedAfter);
                }
            }
        }
        if faults.crashes > 0 {
            actions.push(Action::DispatcherCrash);
        }
    }
}

/// True if another attempt to push can end differently. An attempt that would be refused again is not
/// explored.
fn is_worth_retrying(state: &State, run: &DispatcherRun) -> bool {
    let (refused, is_temporary) = run.refused;
    is_temporary
        || refused.iter().any(|index| match state.connections[usize::from(index)].socket {
            Socket::Handshaking => false,
            Socket::Open | Socket::HalfOpen => true,
            Socket::Closed => state.graces_over.contains(index),
        })
}

fn replayer_actions(state: &State, run: &ReplayerRun, actions: &mut Vec<Action>) {
    let faults = state.faults;
    actions.push(Action::Replay(Outcome::Done));
    match &run.machine.command {
        replayer::Command::Finish(Ok(_)) if faults.repeats > 0 => {
            actions.push(Action::Replay(Outcome::FailedAfter));
        }
        replayer::Command::Finish(_) => {}
        command => {
            if faults.timeouts > 0 {
                actions.push(Action::Replay(Outcome::OutOfTime));
            }
            if faults.port_failures > 0 && !matches!(command, replayer::Command::Wait { .. }) {
                actions.push(Action::Replay(Outcome::FailedBefore));
                if let replayer::Command::Send(batch) = command {
                    actions.push(Action::Replay(Outcome::FailedAfter));
                    if batch.len() > 1 {
                        actions.push(Action::Replay(Outcome::Part));
                    }
                }
            }
        }
    }
    if faults.crashes > 0 {
        actions.push(Action::ReplayerCrash);
    }
}
