//! A model of a deployment whose number of queues changes from one to two, as one user sees it who moves to the
//! second queue.
//!
//! The real core of the dispatcher runs in it, each run as one step: what happens within a run makes no difference
//! to the order of queues, and the other model explores it. The second queue's sequence numbers are lower than those
//! that the first has given, which SQS allows.

use std::collections::BTreeMap;
use std::time::Duration;

use contract_connections_v1::{ConnectionId, FrameFormat};
use contract_notifications_v1::{Epoch, Sequence, Timestamp, WhenOffline};
use dispatcher::core::ConnectionSet;
use dispatcher::core::run::{
    Command, Entry, Event, HeldItem, Item, Limits, OpenConnection, PushReport, PushRequest, Run,
};
use stateright::{Checker as _, Model, Property};

/// Notifications that producers send at most.
const NOTIFICATIONS: u8 = 3;
/// Times that the user connects at most.
const CONNECTS: u8 = 2;
/// Entries that a dispatcher receives at most.
const BATCH: usize = 2;
/// Last sequence number that each queue has given at the start. The second catches up with what the first has given, so
/// that rows held before the change are between the new ones.
const LAST: [u64; 2] = [10, 8];
/// Limits small enough to be reached.
const LIMITS: Limits = Limits {
    inline_drain: 1,
    replay_drain: 2,
    page: 2,
    grace: Duration::ZERO,
    batch_bytes: 2,
    drop_hold: Duration::from_secs(1),
};

/// The rules of several queues, each of which can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeveralQueues {
    /// The epoch is raised when the number of queues changes.
    pub raises_epoch: bool,
    /// The number of queues changes only while the queue is empty.
    pub drains_first: bool,
    /// A dispatcher forwards the entries of other queues' users.
    pub forwards: bool,
}

impl SeveralQueues {
    /// All rules.
    pub const ALL: Self = Self { raises_epoch: true, drains_first: true, forwards: true };

    /// Explores all states and returns their number and the promises that are broken.
    pub fn explore(self) -> (usize, Vec<&'static str>) {
        let checker = self.checker().spawn_bfs().join();
        let mut broken: Vec<_> = checker.discoveries().into_keys().collect();
        broken.sort_unstable();
        (checker.unique_state_count(), broken)
    }
}

/// An entry of the user in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Queued {
    Notification(u8),
    /// A replay of the rows up to this sequence.
    Replay(u128),
}

/// The state of the deployment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    sent: u8,
    connects: u8,
    is_connected: bool,
    /// True once there are two queues, the second of which is the user's.
    has_changed: bool,
    queues: [Vec<(u64, Queued)>; 2],
    last: [u64; 2],
    held: BTreeMap<u128, u8>,
    /// The notifications in the order in which the user's queue of the time accepted them.
    accepted: Vec<u8>,
    /// The notifications in the order of their first delivery.
    delivered: Vec<u8>,
}

impl State {
    fn home(&self) -> usize {
        usize::from(self.has_changed)
    }

    fn put(&mut self, queue: usize, entry: Queued) {
        self.last[queue] += 1;
        self.queues[queue].push((self.last[queue], entry));
        if let Queued::Notification(n) = entry
            && queue == self.home()
            && !self.accepted.contains(&n)
        {
            self.accepted.push(n);
        }
    }

    fn is_in_order(&self) -> bool {
        let place = |n: &u8| self.accepted.iter().position(|accepted| accepted == n);
        self.delivered.is_sorted_by_key(place)
    }

    /// Returns true if something is left when the user is connected and nothing is queued.
    fn leaves_something(&self) -> bool {
        let is_quiet = self.is_connected && self.queues.iter().all(Vec::is_empty);
        is_quiet && (!self.held.is_empty() || self.delivered.len() < usize::from(self.sent))
    }
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A producer that finds the user's queue sends.
    Send,
    /// A producer that knows the first queue alone sends.
    SendToFirst,
    /// The number of queues becomes two.
    Change,
    /// The user connects, which queues a replay.
    Connect,
    /// The user disconnects.
    Disconnect,
    /// A dispatcher runs on the first entries of a queue.
    Dispatch(usize, usize),
}

impl Model for SeveralQueues {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            sent: 0,
            connects: 0,
            is_connected: false,
            has_changed: false,
            queues: [Vec::new(), Vec::new()],
            last: LAST,
            held: BTreeMap::new(),
            accepted: Vec::new(),
            delivered: Vec::new(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.sent < NOTIFICATIONS {
            actions.extend([Action::Send, Action::SendToFirst]);
        }
        if !state.has_changed && (!self.drains_first || state.queues[0].is_empty()) {
            actions.push(Action::Change);
        }
        if state.is_connected {
            actions.push(Action::Disconnect);
        } else if state.connects < CONNECTS {
            actions.push(Action::Connect);
        }
        for (queue, entries) in state.queues.iter().enumerate() {
            actions.extend((1..=entries.len().min(BATCH)).map(|count| Action::Dispatch(queue, count)));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut state = state.clone();
        match action {
            Action::Send | Action::SendToFirst => {
                let queue = if action == Action::Send { state.home() } else { 0 };
                state.sent += 1;
                let n = state.sent;
                state.put(queue, Queued::Notification(n));
            }
            Action::Change => state.has_changed = true,
            Action::Connect => {
                (state.is_connected, state.connects) = (true, state.connects + 1);
                let home = state.home();
                state.put(home, Queued::Replay(Sequence::MAX.number()));
            }
            Action::Disconnect => state.is_connected = false,
            Action::Dispatch(queue, count) => {
                let entries: Vec<_> = state.queues[queue].drain(..count).collect();
                let home = state.home();
                if queue != home && self.forwards {
                    for (_, entry) in entries {
                        state.put(home, entry);
                    }
                } else {
                    self.run(&mut state, entries);
                }
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("in order", |_, state: &State| state.is_in_order()),
            Property::always("everything arrives", |_, state: &State| !state.leaves_something()),
        ]
    }
}

impl SeveralQueues {
    fn run(self, state: &mut State, entries: Vec<(u64, Queued)>) {
        let epoch = Epoch::new(u8::from(state.has_changed && self.raises_epoch)).unwrap_or_default();
        let sequence = |number: u64| {
            let number = Sequence::new(number.into());
            epoch.sequence(number).unwrap_or(number)
        };
        let entries = entries.into_iter().map(|(number, entry)| match entry {
            Queued::Notification(n) => {
                Entry::Notification { item: item(sequence(number), n), redelivered: false }
            }
            // As the dispatcher parses it: a replay covers no later entry.
            Queued::Replay(up_to) => Entry::Replay(Sequence::new(up_to).min(sequence(number))),
        });
        let (mut run, mut command) = Run::start(LIMITS, entries.collect());
        loop {
            let event = match command {
                Command::Finish(_) => return,
                command => carry_out(state, command),
            };
            command = run.on(event, Timestamp::from_millis(1));
        }
    }
}

fn carry_out(state: &mut State, command: Command<u8>) -> Event<u8> {
    match command {
        Command::ListConnections => Event::Listed(if state.is_connected {
            vec![OpenConnection {
                id: ConnectionId::new("c"),
                connected_at: Timestamp::from_millis(0),
                acknowledges: false,
                format: FrameFormat::Single,
            }]
        } else {
            Vec::new()
        }),
        Command::ReadPage { after, up_to, limit, .. } => {
            let after = after.map(Sequence::number);
            let is_in =
                |sequence: u128| after.is_none_or(|after| sequence > after) && sequence <= up_to.number();
            let mut rows = state.held.iter().filter(|(sequence, _)| is_in(**sequence));
            let page = rows.by_ref().take(limit).map(|(sequence, n)| HeldItem {
                item: item(Sequence::new(*sequence), *n),
                pushed_to: ConnectionSet::new(),
            });
            Event::Page { rows: page.collect(), more: rows.next().is_some() }
        }
        Command::Put(rows) => {
            state.held.extend(rows.into_iter().map(|row| (row.item.sequence.number(), row.item.body)));
            Event::Done
        }
        Command::Delete(sequences) => {
            for sequence in sequences {
                state.held.remove(&sequence.number());
            }
            Event::Done
        }
        Command::Push(requests) => {
            Event::Pushed(requests.iter().map(|request| push(state, request)).collect())
        }
        Command::Wait { .. } => Event::Waited,
        Command::EnqueueReplay(sequence) => {
            let home = state.home();
            state.put(home, Queued::Replay(sequence.number()));
            Event::Done
        }
        // Nothing fails, no client acknowledges, and no connection is gone.
        Command::Mark(_) | Command::Forget(_) | Command::ScheduleReplay | Command::Finish(_) => Event::Failed,
    }
}

fn push(state: &mut State, request: &PushRequest<u8>) -> PushReport {
    for item in request.frames.iter().flat_map(|frame| &frame.items) {
        if !state.delivered.contains(&item.item.body) {
            state.delivered.push(item.item.body);
        }
    }
    PushReport { accepted: request.frames.len(), refusal: None }
}

const fn item(sequence: Sequence, n: u8) -> Item<u8> {
    Item { sequence, expires_at: None, when_offline: WhenOffline::Hold, len: 1, body: n }
}
