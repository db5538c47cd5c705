//! Worlds that differ in the names of connections alone, taken for one.
//!
//! Every world gets a fingerprint, and worlds of the same fingerprint are explored once. For it the
//! connections are renamed to an order that does not depend on their names, and so is the dispatcher's
//! machine ([`dispatcher::core::run::Run::renamed`]). That hides nothing, because what can happen does not
//! depend on names:
//!
//! - Connections change places only with those of the same kind; a device's kind is part of the fingerprint.
//! - The machine keeps connections in the order of their names or in sets. The order decides in which
//!   order pushes and reports are listed, and no more; frames are pushed to different connections in any
//!   order, and the rows of connections that are gone are deleted in one step.
//! - When a connection connected is asked in one place only: whether its grace was over when a push was
//!   ordered. So connections whose grace was over when the push in progress was ordered, those whose grace
//!   is over now, and the others never change places; and of the others each may be the next
//!   ([`World::end_grace`]).
//!
//! A test compares the fingerprints of all worlds with and without.

use crate::Delivery;
use crate::machine::{Numbers, SAME, Task, fingerprint};
use crate::set::Set;
use crate::world::{Broken, CONNECTED, Dispatch, Entry, World};

impl Delivery {
    /// Stands for the world, and in a symmetric scope for all that differ in names alone.
    pub(crate) fn identity(&self, world: &World) -> u64 {
        if self.scope.symmetric {
            self.canonical(world)
        } else {
            fingerprint(&self.encoded(world, SAME, world.connected))
        }
    }

    /// Stands for the world and for all that differ in names alone.
    pub fn canonical(&self, world: &World) -> u64 {
        let count = world.connections.len();
        let mut order = SAME;
        let mut keys = [0_u64; SAME.len()];
        for (index, key) in keys.iter_mut().enumerate().take(count) {
            *key = self.seen_alone(world, index);
        }
        order[..count].sort_unstable_by_key(|index| keys[usize::from(*index)]);
        let mut least = u64::MAX;
        let works = |dispatch: &&Dispatch| !matches!(dispatch.at.task, Task::Finish(_));
        let told = world.dispatch.as_ref().filter(works).and_then(|d| d.told).unwrap_or_default();
        self.each_order(
            world,
            &mut order,
            0,
            &|a, b| told.contains(a) && keys[usize::from(a)] == keys[usize::from(b)],
            &mut least,
        );
        least
    }

    /// Goes through all orders in which those that look alike change places.
    fn each_order(
        &self,
        world: &World,
        order: &mut Numbers,
        from: usize,
        alike: &impl Fn(u8, u8) -> bool,
        least: &mut u64,
    ) {
        let count = world.connections.len();
        if from + 1 >= count {
            let mut names = SAME;
            for (new, old) in (0..).zip(&order[..count]) {
                names[usize::from(*old)] = new;
            }
            *least = (*least).min(fingerprint(&self.encoded(world, names, connected(world, *order))));
            return;
        }
        for other in from..count {
            if other == from || alike(order[from], order[other]) {
                order.swap(from, other);
                self.each_order(world, order, from + 1, alike, least);
                order.swap(from, other);
            }
        }
    }

    /// All that is known of one connection without looking into the dispatcher's machine.
    pub(crate) fn seen_alone(&self, world: &World, index: usize) -> u64 {
        let connection = &world.connections[index];
        let name = u8::try_from(index).unwrap_or(u8::MAX);
        let mut seen = Seen(0);
        let dispatch = world.dispatch.as_ref();
        let is_in = |set: Option<Set>| u64::from(set.is_some_and(|set| set.contains(name)));
        // First what never changes places.
        seen.add(1, 1 - is_in(dispatch.map(|dispatch| dispatch.ordered)));
        seen.add(1, 1 - is_in(Some(world.graces_over)));
        seen.add(2, self.kind(index));
        seen.add(2, connection.socket as u64);
        seen.add(1, u64::from(connection.row));
        seen.add(1, u64::from(connection.record));
        seen.add(8, u64::from(connection.unacknowledged.bits()));
        seen.add(8, u64::from(connection.received.bits()));
        for pushed_to in &world.pushed_to {
            seen.add(1, is_in(Some(*pushed_to)));
        }
        seen.add(1, u64::from(world.replay.as_ref().is_some_and(|replay| replay.connection == name)));
        if let Some(dispatch) = dispatch {
            let push = dispatch.pushes[index];
            seen.add(4, u64::from(push.accepted));
            seen.add(2, push.refusal.map_or(0, |refusal| 1 + refusal as u64));
            seen.add(1, u64::from(push.over));
            seen.add(1, is_in(dispatch.told));
            seen.add(1, is_in(Some(dispatch.refused.0)));
            seen.add(1, is_in(dispatch.first_listed));
        }
        seen.0
    }

    /// The number of the first device that is of the same kind.
    fn kind(&self, index: usize) -> u64 {
        let devices = self.scope.devices;
        devices.iter().position(|device| *device == devices[index]).unwrap_or(index) as u64
    }

    /// The world as bytes, its connections renamed. `connected` is when each connected, by its new name.
    fn encoded(&self, world: &World, names: Numbers, connected: Numbers) -> Vec<u8> {
        let count = world.connections.len();
        let set = |set: Set| set.renamed(&names).bits();
        let faults = world.faults;
        let mut bytes = Vec::with_capacity(128);
        bytes.extend([world.accepted, world.held.bits(), world.delivered.bits(), set(world.graces_over)]);
        bytes.extend([faults.crashes, faults.push_errors, faults.port_failures, faults.timeouts]);
        bytes.extend([faults.repeats, broken(world.broken, names), world.ended]);
        bytes.extend(connected);
        bytes.extend(world.pushed_to.map(set));
        let of_connections = bytes.len();
        bytes.resize(of_connections + 6 * count, 0);
        for (index, connection) in world.connections.iter().enumerate() {
            let push = world.dispatch.as_ref().map(|dispatch| dispatch.pushes[index]).unwrap_or_default();
            let flags =
                connection.socket as u8 | u8::from(connection.row) << 2 | u8::from(connection.record) << 3;
            let refusal = push.refusal.map_or(0, |refusal| 1 + refusal as u8);
            let kind = u8::try_from(self.kind(index)).unwrap_or(u8::MAX);
            let received = connection.received.bits();
            let at = of_connections + 6 * usize::from(names[index]);
            bytes[at..at + 6].copy_from_slice(&[
                kind,
                flags,
                connection.unacknowledged.bits(),
                received,
                push.accepted,
                refusal | u8::from(push.over) << 2,
            ]);
        }
        bytes.push(u8::try_from(world.queue.len()).unwrap_or(u8::MAX));
        bytes.extend(world.queue.iter().map(|queued| {
            let (entry, n) = match queued.entry {
                Entry::Notification(n) => (0, n),
                Entry::Replay(n) => (0x80, n),
            };
            entry | u8::from(queued.received) << 6 | n
        }));
        if let Some(replay) = &world.replay {
            bytes.push(names[usize::from(replay.connection)]);
            bytes.extend(replay.at.id().to_le_bytes());
        }
        if let Some(dispatch) = &world.dispatch {
            let own =
                names == SAME && connected == world.connected || matches!(dispatch.at.task, Task::Finish(_));
            let id =
                if own { dispatch.at.id() } else { self.machines.renamed_id(&dispatch.at, names, connected) };
            bytes.push(0xff);
            bytes.extend(id.to_le_bytes());
            bytes.extend([dispatch.taken, dispatch.written, set(dispatch.ordered), set(dispatch.refused.0)]);
            bytes.push(u8::from(dispatch.refused.1) | u8::from(dispatch.new) << 1);
            for told in [dispatch.told, dispatch.first_listed] {
                bytes.extend(told.map_or([0, 0], |told| [1, set(told)]));
            }
            bytes.extend(dispatch.puts_late.iter().flat_map(|(n, pushed_to)| [*n, set(*pushed_to)]));
        }
        bytes
    }
}

/// When the connections in this order connected, if only those are told apart of which it matters. Those
/// whose grace was over earlier come first.
fn connected(world: &World, order: Numbers) -> Numbers {
    let over = world.connections.len().min(usize::from(world.graces_over.len()));
    let mut connected = CONNECTED.map(|at| at + world.ended);
    for (at, old) in connected.iter_mut().zip(order).take(over) {
        *at = world.connected[usize::from(old)];
    }
    connected[..over].sort_unstable();
    connected
}

/// Bits put one after the other.
struct Seen(u64);

impl Seen {
    const fn add(&mut self, bits: u32, value: u64) {
        self.0 = self.0 << bits | value;
    }
}

fn broken(broken: Option<Broken>, names: Numbers) -> u8 {
    match broken {
        None => 0,
        Some(Broken::Order { first, later }) => 0x40 | first << 3 | later,
        Some(Broken::Repeated { notification, connection }) => {
            0x80 | notification << 3 | names[usize::from(connection)]
        }
        Some(Broken::Nonsense(_)) => 0xff,
    }
}
