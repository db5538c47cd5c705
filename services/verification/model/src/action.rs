//! What can happen next.

use serde::{Deserialize, Serialize};

use crate::Delivery;
use crate::machine::{Order, Task};
use crate::reduce::Moment;
use crate::world::{Dispatch, Replay, Socket, World};

/// One atomic step of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A producer's next notification is accepted.
    Accept,
    /// The next device connects: the edge admits it and writes its row; `$connect` is still to return.
    Connect,
    /// `$connect` has returned: the connection of this number is open.
    Open(u8),
    /// The connection ends, or its handshake fails.
    Close(u8),
    /// The client is gone and the gateway does not know it.
    HalfOpen(u8),
    /// `$disconnect`: the edge deletes the row of a connection that ended.
    Disconnect(u8),
    /// The grace of a connection is over.
    EndGrace(u8),
    /// The edge takes an ack: over which connection, of which notification.
    Acknowledge(u8, u8),
    /// A dispatcher receives so many entries.
    Receive(u8),
    /// The dispatcher's command is carried out; a write of several rows, by one row.
    Dispatch(Outcome),
    /// One frame is pushed: of which order.
    Push(u8, Outcome),
    /// The dispatcher ends without a trace.
    DispatcherCrash,
    /// The replayer receives the stream record of a connection.
    Record(u8),
    /// The replayer's command is carried out.
    Replay(Outcome),
    /// The replayer ends without a trace.
    ReplayerCrash,
}

/// How a step ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As it should.
    Done,
    /// It fails before it had any effect.
    FailedBefore,
    /// It has its effect, and is reported failed.
    FailedAfter,
    /// Only the first of several has an effect, and the others are reported failed.
    Part,
    /// Time is up.
    OutOfTime,
}

impl Action {
    /// Whether it happens without anybody's doing and without trouble.
    pub const fn is_calm(self) -> bool {
        match self {
            Self::Open(_)
            | Self::EndGrace(_)
            | Self::Acknowledge(..)
            | Self::Receive(_)
            | Self::Record(_) => true,
            Self::Dispatch(outcome) | Self::Push(_, outcome) | Self::Replay(outcome) => {
                matches!(outcome, Outcome::Done)
            }
            Self::Accept
            | Self::Connect
            | Self::Close(_)
            | Self::HalfOpen(_)
            | Self::Disconnect(_)
            | Self::DispatcherCrash
            | Self::ReplayerCrash => false,
        }
    }
}

impl Delivery {
    /// Everything that can happen next.
    pub fn enabled(&self, world: &World, actions: &mut Vec<Action>) {
        actions.clear();
        if world.broken.is_some() {
            return;
        }
        self.outside(world, actions);
        if world.replay.is_none() {
            let records = (0..).zip(&world.connections).filter(|(_, connection)| connection.record);
            actions.extend(records.map(|(index, _)| Action::Record(index)));
        }
        let moment = Moment::of(self, world);
        actions.retain(|action| self.matters_now(world, &moment, *action));
        if let Some(dispatch) = &world.dispatch {
            self.dispatcher_steps(world, dispatch, actions);
        } else {
            let most = u8::try_from(world.queue.len()).unwrap_or(u8::MAX).min(self.scope.batch);
            actions.extend((1..=most).map(Action::Receive));
        }
        if let Some(replay) = &world.replay
            && (moment.replays || !self.scope.reduced)
        {
            replayer_steps(world, replay, actions);
        }
    }

    /// What producers, devices and the gateway do.
    fn outside(&self, world: &World, actions: &mut Vec<Action>) {
        if world.accepted < self.scope.notifications {
            actions.push(Action::Accept);
        }
        if world.connections.len() < self.scope.devices.len() {
            actions.push(Action::Connect);
        }
        for ((index, connection), device) in (0..).zip(&world.connections).zip(self.scope.devices) {
            match connection.socket {
                Socket::Handshaking => actions.extend([Action::Open(index), Action::Close(index)]),
                Socket::Open => {
                    actions.push(Action::Close(index));
                    // What it swallows from then on is lost to a device that does not acknowledge.
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
        let graces = (0..).zip(&world.connections).filter(|(index, connection)| {
            // A handshake takes less than the grace.
            let may_end = connection.socket != Socket::Handshaking && !world.graces_over.contains(*index);
            may_end && (self.scope.reduced || *index == world.graces_over.len())
        });
        actions.extend(graces.map(|(index, _)| Action::EndGrace(index)));
    }

    fn dispatcher_steps(&self, world: &World, dispatch: &Dispatch, actions: &mut Vec<Action>) {
        let faults = world.faults;
        let mut add = |outcome| actions.push(Action::Dispatch(outcome));
        match &dispatch.at.task {
            Task::Push(orders) => {
                let pending = self.pending(world, dispatch);
                for (order, Order { connection, .. }) in (0..).zip(orders) {
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
                if worth_another_attempt(world, dispatch) {
                    add(Outcome::Done);
                }
                if faults.timeouts > 0 {
                    add(Outcome::OutOfTime);
                }
            }
            Task::Finish(_) => add(Outcome::Done),
            Task::List | Task::Read { .. } => {
                add(Outcome::Done);
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

/// To try again while nothing has changed would be refused again: no need to explore it.
fn worth_another_attempt(world: &World, dispatch: &Dispatch) -> bool {
    let (refused, passing) = dispatch.refused;
    passing
        || refused.iter().any(|index| match world.connections[usize::from(index)].socket {
            Socket::Handshaking => false,
            Socket::Open | Socket::HalfOpen => true,
            Socket::Closed => world.graces_over.contains(index),
        })
}

fn replayer_steps(world: &World, replay: &Replay, actions: &mut Vec<Action>) {
    let faults = world.faults;
    actions.push(Action::Replay(Outcome::Done));
    match &replay.at.command {
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
