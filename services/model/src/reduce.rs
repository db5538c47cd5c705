//! Fewer orders in which things happen, without fewer worlds that matter.
//!
//! Two steps that neither see nor change what the other sees or changes lead to the same world in either
//! order, so one order is enough. What a service does as soon as it may comes at once ([`Delivery::hasty`]);
//! what happens outside comes as late as it can, just before a step that notices it
//! ([`Moment::notices`]). A scope can switch this off; a test compares both.

use dispatcher::core::run::Command;

use crate::Delivery;
use crate::action::{Action, Outcome};
use crate::set::Set;
use crate::world::{Socket, World, connection_index};

impl Delivery {
    /// A step that may as well come at once, because nothing that could happen before it would make a
    /// difference to it, nor it to anything:
    ///
    /// - the first list of a run and the first read of a replay: what happens between receiving and
    ///   reading might as well have happened before receiving;
    /// - a read of the mailbox by the dispatcher, which alone writes to it, while no ack can come;
    /// - the end of a run or replay that can't crash any more.
    pub(crate) fn hasty(&self, world: &World) -> Option<Action> {
        if world.broken.is_some() || !self.scope.reduced {
            return None;
        }
        let faults = &world.faults;
        let dispatcher = world.dispatch.as_ref().is_some_and(|dispatch| match &dispatch.command {
            Command::ListConnections => faults.port_failures == 0 && !dispatch.has_listed,
            Command::ReadPage { .. } => {
                let no_ack_can_come = world.connections.iter().all(|c| c.unacknowledged.is_empty());
                faults.port_failures == 0 && no_ack_can_come
            }
            Command::Finish(_) => faults.crashes == 0,
            _ => false,
        });
        if dispatcher {
            return Some(Action::Dispatch(Outcome::Done));
        }
        let replayer = world.replay.as_ref().is_some_and(|replay| match replay.machine.command() {
            replayer::Command::ReadKeys { after: None, .. } => {
                faults.port_failures == 0 && faults.timeouts == 0
            }
            replayer::Command::Finish(_) => faults.crashes == 0 && faults.repeats == 0,
            _ => false,
        });
        replayer.then_some(Action::Replay(Outcome::Done))
    }

    /// Makes worlds equal that differ only in marks for connections that nobody can serve any more.
    pub(crate) fn forget_the_dead(&self, world: &mut World) {
        if world.dispatch.is_none() && self.scope.reduced {
            let listed = world.listed();
            for pushed_to in &mut world.pushed_to {
                *pushed_to = pushed_to.without(pushed_to.without(listed));
            }
        }
    }

    /// Whether an action from outside would be noticed by a step that can come next.
    pub(crate) fn matters_now(&self, world: &World, moment: &Moment, action: Action) -> bool {
        !self.scope.reduced || moment.notices(world, action)
    }
}

/// What the steps that can come next would notice.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one question about the moment")]
pub(crate) struct Moment {
    /// Connections are listed next, or entries received.
    lists: bool,
    /// The dispatcher reads the mailbox or writes to it.
    uses_mailbox: bool,
    /// The dispatcher puts rows.
    puts: bool,
    /// Something is put into the queue.
    sends: bool,
    /// Nothing is being dispatched.
    receives: bool,
    /// Frames are being pushed, or pushes waited to be tried again.
    pushes: bool,
    /// The connections of the push in progress, or of refused pushes.
    pushed: Set,
    /// Those of them to which a frame is still to be pushed, or which refused.
    pending: Set,
    /// The replayer reads keys, or may.
    reads_keys: bool,
    /// The services have nothing to do, except for stream records.
    idle: bool,
}

impl Moment {
    pub(crate) fn of(world: &World) -> Self {
        let mut moment = Self::default();
        match world.dispatch.as_ref().map(|dispatch| (dispatch, &dispatch.command)) {
            None => {
                moment.receives = true;
                moment.lists = !world.queue.is_empty();
            }
            Some((_, Command::ListConnections)) => moment.lists = true,
            Some((_, Command::Put(_))) => (moment.puts, moment.uses_mailbox) = (true, true),
            Some((_, Command::ReadPage { .. } | Command::Delete(_) | Command::Mark(_))) => {
                moment.uses_mailbox = true;
            }
            Some((_, Command::EnqueueReplay(_))) => moment.sends = true,
            Some((dispatch, Command::Push(orders))) => {
                moment.pushes = true;
                for (order, (_, over)) in orders.iter().zip(&dispatch.orders) {
                    let index = connection_index(&order.connection);
                    moment.pushed.insert(index);
                    if !over {
                        moment.pending.insert(index);
                    }
                }
            }
            Some((dispatch, Command::Wait { .. })) => {
                moment.pushes = true;
                moment.pushed = dispatch.refused.0;
                moment.pending = dispatch.refused.0;
            }
            Some((_, Command::Forget(_) | Command::Finish(_))) => {}
        }
        match world.replay.as_ref().map(|replay| replay.machine.command()) {
            Some(replayer::Command::Send(_)) => moment.sends = true,
            Some(replayer::Command::ReadKeys { .. }) => moment.reads_keys = true,
            Some(_) => {}
            None => moment.reads_keys = world.connections.iter().any(|connection| connection.record),
        }
        moment.idle = moment.receives && world.queue.is_empty() && world.replay.is_none();
        moment
    }

    fn notices(&self, world: &World, action: Action) -> bool {
        let socket = |index: u8| world.connections[usize::from(index)].socket;
        let rest = || world.connections.iter().all(|connection| !connection.record);
        match action {
            Action::Accept => self.receives || self.sends,
            Action::Connect => self.lists || world.replay.is_none() && (self.puts || !world.held.is_empty()),
            Action::Record(_) => self.puts || self.idle || !world.held.is_empty(),
            Action::Open(index) => {
                self.pushed.contains(index) || self.idle && rest() || self.lists && index == world.graces_over
            }
            Action::Close(index) => {
                self.pending.contains(index)
                    || self.lists && world.connections[usize::from(index)].row
                    || self.idle && rest() && socket(index) == Socket::Handshaking
            }
            Action::HalfOpen(index) => self.pending.contains(index),
            Action::Disconnect(_) => self.lists,
            Action::EndGrace => self.lists || self.pushes,
            Action::Acknowledge(index, _) => {
                self.uses_mailbox || self.reads_keys || self.idle || self.pending.contains(index)
            }
            _ => true,
        }
    }
}
