//! What an action does to the world.

use contract_notifications_v1::WhenOffline;
use dispatcher::core::run::Item;

use crate::action::{Action, Outcome};
use crate::machine::{Machines, SAME, keys};
use crate::rule::Rule;
use crate::set::Set;
use crate::world::{
    Broken, Connection, Dispatch, Entry, MAX_DEVICES, Progress, Queued, Replay, Socket, World, number,
    sequence,
};
use crate::{Delivery, edge};

impl Delivery {
    /// The world after an action that is enabled in it, and after what may as well come at once.
    pub fn apply(&self, world: &World, action: Action) -> World {
        self.apply_telling(world, action, |_, _| {})
    }

    /// The same, telling every step with the world before it.
    pub(crate) fn apply_telling(
        &self,
        world: &World,
        action: Action,
        mut tell: impl FnMut(&World, Action),
    ) -> World {
        let mut world = world.clone();
        let mut next = Some(action);
        while let Some(action) = next {
            tell(&world, action);
            self.step(&mut world, action);
            next = self.hasty(&world);
        }
        self.simplify(&mut world);
        world.fingerprint = self.identity(&world);
        world
    }

    /// One step of the world.
    fn step(&self, world: &mut World, action: Action) {
        match action {
            Action::Accept => accept(world),
            Action::Connect => connect(world),
            Action::Open(index) => connection(world, index).socket = Socket::Open,
            Action::Close(index) => end(world, index, Socket::Closed),
            Action::HalfOpen(index) => end(world, index, Socket::HalfOpen),
            Action::Disconnect(index) => connection(world, index).row = false,
            Action::EndGrace(index) => self.end_grace(world, index),
            Action::Acknowledge(index, n) => acknowledge(world, index, n),
            Action::Receive(count) => self.receive(world, count),
            Action::Dispatch(outcome) => self.dispatch(world, outcome),
            Action::Push(order, outcome) => self.push_frame(world, order, outcome),
            Action::DispatcherCrash => self.dispatcher_crash(world),
            Action::Record(index) => {
                let at = Machines::replay(self.scope.replay_page, self.scope.replay_batch);
                world.replay = Some(Replay { at, connection: index });
            }
            Action::Replay(outcome) => self.replay(world, outcome),
            Action::ReplayerCrash => {
                world.replay = None;
                world.faults.crashes -= 1;
            }
        }
    }

    fn receive(&self, world: &mut World, count: u8) {
        let entries = &mut world.queue[..usize::from(count)];
        let at = self.machines.start(self.limits(), entries);
        let mut new = true;
        for queued in entries {
            queued.received = matches!(queued.entry, Entry::Notification(_));
            new &= queued.received;
        }
        world.dispatch = Some(Dispatch {
            at,
            taken: count,
            told: None,
            written: 0,
            pushes: [Progress::default(); MAX_DEVICES],
            ordered: Set::default(),
            refused: (Set::default(), false),
            new: new && self.without == Some(Rule::DrainFirst),
            puts_late: Vec::new(),
            first_listed: None,
        });
    }

    /// The grace of a connection is over: if it is closed, since before the last push was ordered. The run
    /// knows when the connections connected, so it has to know if that turns out to be otherwise.
    fn end_grace(&self, world: &mut World, index: u8) {
        let before = world.connected;
        if self.scope.reduced && connection(world, index).socket == Socket::Closed {
            world.ended_before(index);
        } else {
            world.end_grace(index);
        }
        if let Some(dispatch) = &mut world.dispatch
            && before != world.connected
        {
            dispatch.at = self.machines.renamed(&dispatch.at, SAME, world.connected);
        }
    }

    fn dispatcher_crash(&self, world: &mut World) {
        if let Some(dispatch) = world.dispatch.take()
            && self.without == Some(Rule::OneRunAtATime)
        {
            world.queue.rotate_left(usize::from(dispatch.taken));
        }
        world.faults.crashes -= 1;
        world.delivered_again();
    }

    /// What the replayer sees of the mailbox.
    pub(crate) fn keys(&self, world: &World) -> Set {
        if self.without == Some(Rule::ReadConsistently) { Set::default() } else { world.held }
    }

    /// One step of the replayer.
    fn replay(&self, world: &mut World, outcome: Outcome) {
        let Some(Replay { at, connection: index }) = world.replay.take() else { return };
        let event = match &at.command {
            replayer::Command::Finish(result) => {
                let reported = result.is_err() && self.without != Some(Rule::ReportFailedReplay);
                let repeated = outcome == Outcome::FailedAfter;
                world.faults.repeats -= u8::from(repeated);
                connection(world, index).record = reported || repeated;
                return;
            }
            _ if outcome == Outcome::OutOfTime => {
                world.faults.timeouts -= 1;
                replayer::Event::OutOfTime
            }
            replayer::Command::Wait { .. } => replayer::Event::Waited,
            replayer::Command::ReadKeys { after, limit } => {
                let after = after.map_or(0, number);
                let mut keys = keys(self.keys(world).iter().filter(|key| *key > after));
                let more = keys.len() > *limit;
                keys.truncate(*limit);
                match outcome {
                    Outcome::Done => replayer::Event::KeysRead { sequences: keys, more },
                    _ => failed(world),
                }
            }
            replayer::Command::Send(batch) => {
                let accepted = match outcome {
                    Outcome::Done | Outcome::FailedAfter => batch.len(),
                    Outcome::Part => 1,
                    Outcome::FailedBefore | Outcome::OutOfTime => 0,
                };
                let entries = batch.iter().take(accepted).map(|key| Entry::Replay(number(*key)));
                world.queue.extend(entries.map(|entry| Queued { entry, received: false }));
                match outcome {
                    Outcome::Done => replayer::Event::Sent { failed: Vec::new() },
                    Outcome::Part => {
                        world.faults.port_failures -= 1;
                        replayer::Event::Sent { failed: (1..batch.len()).collect() }
                    }
                    _ => failed(world),
                }
            }
        };
        let at = self.machines.replayed(&at, event);
        world.replay = Some(Replay { at, connection: index });
    }
}

fn failed(world: &mut World) -> replayer::Event {
    world.faults.port_failures -= 1;
    replayer::Event::Failed { retryable: true }
}

fn accept(world: &mut World) {
    world.accepted += 1;
    world.queue.push(Queued { entry: Entry::Notification(world.accepted), received: false });
}

/// The edge admits the next device and writes its row, of which there is a stream record.
fn connect(world: &mut World) {
    world.connections.push(Connection {
        socket: Socket::Handshaking,
        row: true,
        record: true,
        received: Set::default(),
        unacknowledged: Set::default(),
    });
}

/// Nothing arrives over this connection any more.
fn end(world: &mut World, index: u8, socket: Socket) {
    let connection = connection(world, index);
    connection.socket = socket;
    connection.received = Set::default();
}

/// The client's ack arrives and the edge clears the rows.
fn acknowledge(world: &mut World, index: u8, n: u8) {
    connection(world, index).unacknowledged.remove(n);
    match edge::cleared(sequence(n)) {
        Ok(rows) => rows.into_iter().for_each(|row| world.delete(number(row))),
        Err(_) => world.broken = Some(Broken::Nonsense("the edge takes no ack")),
    }
}

/// Notification `n`, as the dispatcher's machine sees it.
pub(crate) fn item(n: u8) -> Item<()> {
    Item { sequence: sequence(n), expires_at: None, when_offline: WhenOffline::Hold, len: 1, body: () }
}

/// The connection of this number, which exists.
pub(crate) fn connection(world: &mut World, index: u8) -> &mut Connection {
    &mut world.connections[usize::from(index)]
}
