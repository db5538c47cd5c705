//! Fewer orders in which things happen, without fewer worlds that matter.
//!
//! Two steps that neither see nor change what the other sees or changes lead to the same world in either
//! order, so one order is enough. What a service does as soon as it may comes at once ([`Delivery::hasty`]);
//! what happens outside comes as late as it can, just before a step that notices it
//! ([`Moment::notices`]). A scope can switch this off; a test compares both.

use crate::Delivery;
use crate::action::{Action, Outcome};
use crate::machine::Task;
use crate::scope::Faults;
use crate::set::Set;
use crate::world::{Dispatch, Socket, World};

impl Delivery {
    /// A step that may as well come at once, because nothing that could happen before it would make a
    /// difference to it, nor it to anything:
    ///
    /// - the first list of a run and the first read of a replay: what happens between receiving and
    ///   reading might as well have happened before receiving;
    /// - a read of the mailbox by the dispatcher, which alone writes to it, while no ack can come;
    /// - a write of the dispatcher, when it can't crash any more and nobody else can read the mailbox;
    /// - the deletion of the rows of connections that are gone: only a later list sees it, and if the
    ///   dispatcher crashes before it, it might as well have crashed before the push that was refused;
    /// - that the grace of a closed connection is over, if time is never up: it is tried again until then,
    ///   and all that happens meanwhile may as well happen before or after;
    /// - the end of a run or replay that can't crash any more.
    pub(crate) fn hasty(&self, world: &World) -> Option<Action> {
        if world.broken.is_some() || !self.scope.reduced {
            return None;
        }
        let faults = &world.faults;
        let no_ack_can_come = || world.connections.iter().all(|c| c.unacknowledged.is_empty());
        let dispatcher = world.dispatch.as_ref().is_some_and(|dispatch| match &dispatch.at.task {
            Task::List => faults.port_failures == 0 && dispatch.told.is_none(),
            Task::Read { .. } => faults.port_failures == 0 && no_ack_can_come(),
            Task::Put(_) | Task::Delete(_) | Task::Mark(_) => {
                let nobody_reads = || {
                    world.connections.len() == self.scope.devices.len()
                        && world.connections.iter().all(|connection| !connection.record)
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
        let replayer = world.replay.as_ref().is_some_and(|replay| match replay.at.command {
            replayer::Command::ReadKeys { after: None, .. } => {
                faults.port_failures == 0 && faults.timeouts == 0
            }
            replayer::Command::Finish(_) => faults.crashes == 0 && faults.repeats == 0,
            _ => false,
        });
        replayer.then_some(Action::Replay(Outcome::Done)).or_else(|| self.grace_over(world))
    }

    /// The end of the grace of a closed connection to which frames are to be pushed.
    fn grace_over(&self, world: &World) -> Option<Action> {
        let dispatch = world.dispatch.as_ref().filter(|_| world.faults.timeouts == 0)?;
        let pushed = match dispatch.at.task {
            Task::Push(_) => self.pending(world, dispatch),
            Task::Wait => dispatch.refused.0,
            _ => return None,
        };
        let closed = |index: &u8| world.connections[usize::from(*index)].socket == Socket::Closed;
        pushed.without(world.graces_over).iter().find(closed).map(Action::EndGrace)
    }

    /// Makes worlds equal that differ only in what nobody will ask for any more:
    ///
    /// - marks for connections that nobody can serve: they are not in the table and the run does not know
    ///   them;
    /// - when a run is over, what it was told;
    /// - between runs, whose grace is over. Only runs ask, and each run anew; so that a grace is over may as
    ///   well come out when it is asked for. A run may then find within its grace what an earlier one found
    ///   out of it; that is more than can happen, not less.
    pub(crate) fn simplify(&self, world: &mut World) {
        if !self.scope.reduced {
            return;
        }
        let mut known = world.listed();
        match &mut world.dispatch {
            Some(Dispatch { at, told, .. }) if !matches!(at.task, Task::Finish(_)) => {
                known = known.union(told.unwrap_or_default());
            }
            dispatch => {
                if let Some(Dispatch { told, refused, .. }) = dispatch {
                    *told = Some(Set::default());
                    *refused = (Set::default(), false);
                }
                world.forget_graces();
            }
        }
        for pushed_to in &mut world.pushed_to {
            *pushed_to = pushed_to.without(pushed_to.without(known));
        }
    }

    /// The connections to which a frame is to be pushed next: all to which one is still to be pushed. If
    /// all get the same and nothing can go wrong in between any more, one after the other is enough: a
    /// push to one connection, and what comes of it, neither sees nor changes what belongs to another.
    pub(crate) fn pending(&self, world: &World, dispatch: &Dispatch) -> Set {
        let Task::Push(orders) = &dispatch.at.task else { return Set::default() };
        let waiting = orders.iter().map(|order| order.connection);
        let waiting: Set = waiting.filter(|index| !dispatch.pushes[usize::from(*index)].over).collect();
        let in_turn = self.scope.reduced
            && world.faults.crashes == 0
            && world.faults.push_errors == 0
            && orders.windows(2).all(|pair| pair[0].frames == pair[1].frames);
        if !in_turn {
            return waiting;
        }
        // Which is the first must not depend on names.
        let first = waiting.iter().min_by_key(|index| self.seen_alone(world, usize::from(*index)));
        first.into_iter().collect()
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
    /// The connections of the push in progress, or of refused pushes.
    pushed: Set,
    /// Those of them to which a frame is to be pushed next, or which refused.
    pending: Set,
    /// The replayer reads keys, or may.
    reads_keys: bool,
    /// It makes a difference whether the replayer goes on now or later.
    pub(crate) replays: bool,
    /// It makes a difference whether the replayer takes up another record now or later.
    reads: bool,
    /// The services have nothing to do, except for stream records.
    idle: bool,
}

impl Moment {
    pub(crate) fn of(model: &Delivery, world: &World) -> Self {
        let mut moment = Self::default();
        match world.dispatch.as_ref().map(|dispatch| (dispatch, &dispatch.at.task)) {
            None => {
                moment.receives = true;
                moment.lists = !world.queue.is_empty();
            }
            Some((_, Task::List)) => moment.lists = true,
            Some((_, Task::Put(_))) => (moment.puts, moment.uses_mailbox) = (true, true),
            Some((_, Task::Read { .. } | Task::Delete(_) | Task::Mark(_))) => moment.uses_mailbox = true,
            Some((_, Task::Enqueue(_))) => moment.sends = true,
            Some((dispatch, Task::Push(orders))) => {
                moment.pending = model.pending(world, dispatch);
                let in_turn = moment.pending.len() == 1;
                let all = || orders.iter().map(|order| order.connection).collect();
                moment.pushed = if in_turn { moment.pending } else { all() };
            }
            Some((dispatch, Task::Wait)) => {
                moment.pushed = dispatch.refused.0;
                moment.pending = dispatch.refused.0;
            }
            Some((_, Task::Forget(_) | Task::Finish(_))) => {}
        }
        moment.replayer(model, world);
        moment.idle = moment.receives && world.queue.is_empty() && world.replay.is_none();
        moment
    }

    /// What the replayer sends goes behind all that is queued: whether now or later is seen only by who else
    /// queues something, and by who receives more than was queued before. What it reads is changed by
    /// the dispatcher's writes and by acks; and it takes up another record only when it is done with one.
    fn replayer(&mut self, model: &Delivery, world: &World) {
        let acks_can_come = world.connections.iter().any(|c| !c.unacknowledged.is_empty());
        let accepts = world.accepted < model.scope.notifications;
        let takes_more = world.queue.len() < usize::from(model.scope.batch);
        let queues = self.sends || self.receives && (accepts || takes_more);
        let changes = self.uses_mailbox || acks_can_come;
        self.reads = queues || changes;
        let faults = Faults { push_errors: 0, ..world.faults };
        let (command, own) = match &world.replay {
            Some(replay) => (Some(&replay.at.command), Some(replay.connection)),
            None => (None, None),
        };
        let others = (0..).zip(&world.connections).any(|(index, c)| c.record && Some(index) != own);
        let reads_again =
            others || faults != Faults::default() || world.connections.len() < model.scope.devices.len();
        self.replays = queues || reads_again && (changes || self.receives);
        match command {
            Some(replayer::Command::Send(_)) => self.sends |= self.replays,
            Some(replayer::Command::ReadKeys { .. }) => self.reads_keys = true,
            Some(_) => {}
            None => self.reads_keys = others,
        }
    }

    fn notices(&self, world: &World, action: Action) -> bool {
        let socket = |index: u8| world.connections[usize::from(index)].socket;
        let row = |index: u8| world.connections[usize::from(index)].row;
        let rest = || world.connections.iter().all(|connection| !connection.record);
        let reads = || self.reads && (self.puts || !world.held.is_empty());
        match action {
            Action::Accept => self.receives || self.sends,
            Action::Connect => self.lists || world.replay.is_none() && reads(),
            Action::Record(_) => self.idle || reads(),
            Action::Open(index) => self.pushed.contains(index) || self.idle && rest(),
            Action::Close(index) => {
                self.pending.contains(index)
                    || self.lists && row(index)
                    || self.idle && rest() && socket(index) == Socket::Handshaking
            }
            Action::HalfOpen(index) => self.pending.contains(index),
            Action::Disconnect(_) => self.lists,
            // Whether it was over when a push was ordered is asked when the push has been refused. That it
            // ends after that must make no difference, if the connection has opened.
            Action::EndGrace(index) => match socket(index) {
                Socket::Closed => self.pending.contains(index),
                _ => self.pushed.contains(index) && !self.pending.contains(index) && pushes(world, index),
            },
            Action::Acknowledge(index, _) => {
                self.uses_mailbox || self.reads_keys || self.idle || self.pending.contains(index)
            }
            _ => true,
        }
    }
}

/// Whether a push to this connection was refused, and others are still on their way.
fn pushes(world: &World, index: u8) -> bool {
    let dispatch = world.dispatch.as_ref();
    dispatch.is_some_and(|dispatch| dispatch.pushes[usize::from(index)].refusal.is_some())
}
