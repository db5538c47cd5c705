//! Symmetry reduction: states that differ only in the names of connections count as one.
//!
//! Every state gets a fingerprint, and of states with the same fingerprint one is explored. For the
//! fingerprint the connections are renamed to an order that does not depend on their names, and the
//! dispatcher's machine is renamed with them ([`dispatcher::core::run::Run::renamed`]). This hides nothing,
//! because the possible actions don't depend on names:
//!
//! - Only connections of the same kind change places; a device's kind is part of the fingerprint.
//! - The machine keeps connections in the order of their names or in sets. That order decides only in which
//!   order pushes and reports are listed. Frames go to different connections in any order, and the rows of
//!   connections that are gone are deleted in one step.
//! - The time at which a connection connected is used in one place: to decide whether its grace was over when
//!   a push was ordered. So three groups never mix: connections whose grace was over when the push in
//!   progress was ordered, those whose grace is over now, and the others. Any of the others may be the next
//!   whose grace ends ([`State::end_grace`]).
//!
//! A test compares the fingerprints of all states with and without this reduction.

use crate::ids::{IDENTITY, PerConnection};
use crate::memo::fingerprint;
use crate::model::Delivery;
use crate::queue::Entry;
use crate::set::Set;
use crate::state::{CONNECTED, DispatcherRun, State, Violation};
use crate::task::Task;

impl Delivery {
    /// The fingerprint of a state. In a symmetric scope states that differ only in names share it.
    pub(crate) fn identity(&self, state: &State) -> u64 {
        if self.scope.symmetric {
            self.canonical(state)
        } else {
            fingerprint(&self.encoded(state, IDENTITY, state.connected))
        }
    }

    /// The fingerprint that a state shares with all states that differ from it only in names.
    pub fn canonical(&self, state: &State) -> u64 {
        let count = state.connections.len();
        let mut order = IDENTITY;
        let mut keys = [0_u64; IDENTITY.len()];
        for (index, key) in keys.iter_mut().enumerate().take(count) {
            *key = self.connection_key(state, index);
        }
        order[..count].sort_unstable_by_key(|index| keys[usize::from(*index)]);
        let mut least = u64::MAX;
        let is_working = |run: &&DispatcherRun| !matches!(run.machine.task, Task::Finish(_));
        let listed = state.dispatcher.as_ref().filter(is_working).and_then(|run| run.listed);
        let listed = listed.unwrap_or_default();
        self.each_order(
            state,
            &mut order,
            0,
            &|a, b| listed.contains(a) && keys[usize::from(a)] == keys[usize::from(b)],
            &mut least,
        );
        least
    }

    /// Finds the least fingerprint over all orders in which connections that look alike change places.
    fn each_order(
        &self,
        state: &State,
        order: &mut PerConnection,
        from: usize,
        alike: &impl Fn(u8, u8) -> bool,
        least: &mut u64,
    ) {
        let count = state.connections.len();
        if from + 1 >= count {
            let mut names = IDENTITY;
            for (new, old) in (0..).zip(&order[..count]) {
                names[usize::from(*old)] = new;
            }
            *least = (*least).min(fingerprint(&self.encoded(state, names, connected(state, *order))));
            return;
        }
        for other in from..count {
            if other == from || alike(order[from], order[other]) {
                order.swap(from, other);
                self.each_order(state, order, from + 1, alike, least);
                order.swap(from, other);
            }
        }
    }

    /// Everything known about one connection outside the dispatcher's machine, packed into a number.
    pub(crate) fn connection_key(&self, state: &State, index: usize) -> u64 {
        let connection = &state.connections[index];
        let name = u8::try_from(index).unwrap_or(u8::MAX);
        let mut key = BitPacker(0);
        let run = state.dispatcher.as_ref();
        let is_in = |set: Option<Set>| u64::from(set.is_some_and(|set| set.contains(name)));
        // First the properties between which connections never change places.
        key.add(1, 1 - is_in(run.map(|run| run.grace_over_at_order)));
        key.add(1, 1 - is_in(Some(state.graces_over)));
        key.add(2, self.kind(index));
        key.add(2, connection.socket as u64);
        key.add(1, u64::from(connection.row));
        key.add(1, u64::from(connection.stream_record));
        key.add(8, u64::from(connection.unacknowledged.bits()));
        key.add(8, u64::from(connection.received.bits()));
        for pushed_to in &state.pushed_to {
            key.add(1, is_in(Some(*pushed_to)));
        }
        key.add(1, u64::from(state.replayer.as_ref().is_some_and(|replay| replay.connection == name)));
        if let Some(run) = run {
            let push = run.pushes[index];
            key.add(4, u64::from(push.accepted));
            key.add(2, push.refusal.map_or(0, |refusal| 1 + refusal as u64));
            key.add(1, u64::from(push.finished));
            key.add(1, is_in(run.listed));
            key.add(1, is_in(Some(run.refused.0)));
            key.add(1, is_in(run.first_listed));
        }
        key.0
    }

    /// The kind of a device: the index of the first device like it.
    fn kind(&self, index: usize) -> u64 {
        let devices = self.scope.devices;
        devices.iter().position(|device| *device == devices[index]).unwrap_or(index) as u64
    }

    /// The state as bytes with its connections renamed. `connected` has their times of connecting by new
    /// names.
    fn encoded(&self, state: &State, names: PerConnection, connected: PerConnection) -> Vec<u8> {
        let count = state.connections.len();
        let set = |set: Set| set.renamed(&names).bits();
        let faults = state.faults;
        let mut bytes = Vec::with_capacity(128);
        bytes.extend([state.accepted, state.held.bits(), state.delivered.bits(), set(state.graces_over)]);
        bytes.extend([faults.crashes, faults.push_errors, faults.port_failures, faults.timeouts]);
        bytes.extend([faults.repeats, encoded_violation(state.violation, names), state.ended]);
        bytes.extend([faults.asides, u8::from(state.due)]);
        bytes.extend(connected);
        bytes.extend(state.pushed_to.map(set));
        let of_connections = bytes.len();
        bytes.resize(of_connections + 6 * count, 0);
        for (index, connection) in state.connections.iter().enumerate() {
            let push = state.dispatcher.as_ref().map(|run| run.pushes[index]).unwrap_or_default();
            let flags = connection.socket as u8
                | u8::from(connection.row) << 2
                | u8::from(connection.stream_record) << 3;
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
                refusal | u8::from(push.finished) << 2,
            ]);
        }
        bytes.push(u8::try_from(state.queue.len()).unwrap_or(u8::MAX));
        bytes.extend(state.queue.iter().map(|queued| {
            let (entry, n) = match queued.entry {
                Entry::Notification(n) => (0, n),
                Entry::Replay(n) => (0x80, n),
            };
            entry | u8::from(queued.received) << 6 | n
        }));
        if let Some(run) = &state.replayer {
            bytes.push(names[usize::from(run.connection)]);
            bytes.extend(run.machine.id().to_le_bytes());
        }
        if let Some(run) = &state.dispatcher {
            let is_own = names == IDENTITY && connected == state.connected
                || matches!(run.machine.task, Task::Finish(_));
            let id = if is_own {
                run.machine.id()
            } else {
                self.machines.renamed_id(&run.machine, names, connected)
            };
            bytes.push(0xff);
            bytes.extend(id.to_le_bytes());
            bytes.extend([run.received, run.written, set(run.grace_over_at_order), set(run.refused.0)]);
            bytes.push(u8::from(run.refused.1) | u8::from(run.only_new) << 1);
            for listed in [run.listed, run.first_listed] {
                bytes.extend(listed.map_or([0, 0], |listed| [1, set(listed)]));
            }
            bytes.extend(run.late_puts.iter().flat_map(|(n, pushed_to)| [*n, set(*pushed_to)]));
        }
        bytes
    }
}

/// Times of connecting for connections in this order, reduced to the differences that matter. Connections
/// whose grace is over come first and keep their times, in ascending order. The others get the next times in
/// turn.
fn connected(state: &State, order: PerConnection) -> PerConnection {
    let over = state.connections.len().min(usize::from(state.graces_over.len()));
    let mut connected = CONNECTED.map(|at| at + state.ended);
    for (at, old) in connected.iter_mut().zip(order).take(over) {
        *at = state.connected[usize::from(old)];
    }
    connected[..over].sort_unstable();
    connected
}

/// Packs values into a number, each behind the one before.
struct BitPacker(u64);

impl BitPacker {
    const fn add(&mut self, bits: u32, value: u64) {
        self.0 = self.0 << bits | value;
    }
}

fn encoded_violation(violation: Option<Violation>, names: PerConnection) -> u8 {
    match violation {
        None => 0,
        Some(Violation::Order { first, later }) => 0x40 | first << 3 | later,
        Some(Violation::Repeated { notification, connection }) => {
            0x80 | notification << 3 | names[usize::from(connection)]
        }
        Some(Violation::InvalidOutput(_)) => 0xff,
    }
}
