//! The real machines at work, each state of them kept once for all worlds in which it occurs.
//!
//! There are far fewer states of a machine than worlds. What a machine does with an event is asked of the
//! real core once and remembered; a world refers to a machine's state and is quickly copied and compared.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

use contract_notifications_v1::{Sequence, Timestamp};
use dispatcher::core::run::{
    Command, Entry as RunEntry, Event, HeldItem, Limits, OpenConnection, Outcome, PushReport, Run,
};

use crate::set::Set;
use crate::step::item;
use crate::world::{Entry, MAX_DEVICES, Queued, connection_id, connection_index, number, sequence};

/// A number for each connection: a new name, or when it connected.
pub(crate) type Numbers = [u8; MAX_DEVICES];

/// Each connection's own number.
pub(crate) const SAME: Numbers = [0, 1, 2, 3];

/// What is the same for equal values and, but for one chance in 2⁶⁴, differs for others.
pub(crate) fn fingerprint(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A dispatcher's machine after an event.
#[derive(Debug)]
pub struct RunAt {
    /// Stands for all the rest.
    id: u64,
    /// The real machine and its last command.
    run: Run<()>,
    command: Command<()>,
    /// The same command in the world's terms.
    pub task: Task,
}

/// What the dispatcher wants done. Notifications and connections are numbers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Task {
    /// List connections.
    List,
    /// Read held rows.
    Read {
        /// Only those after this one.
        after: u8,
        /// Only those up to and including this one.
        up_to: u8,
        /// Only those not pushed to all of these.
        due_for: Set,
        /// At most so many.
        limit: usize,
    },
    /// Write rows, with the connections they are pushed to.
    Put(Vec<(u8, Set)>),
    /// Delete rows.
    Delete(Vec<u8>),
    /// Add connections to rows.
    Mark(Vec<(u8, Set)>),
    /// Delete connections' rows.
    Forget(Set),
    /// Push to connections.
    Push(Vec<Order>),
    /// Wait before pushing again.
    Wait,
    /// Queue a replay.
    Enqueue(u8),
    /// The run is over; which entries are done.
    Finish(Vec<bool>),
}

/// Frames for one connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Order {
    /// Which.
    pub connection: u8,
    /// The notifications of each frame.
    pub frames: Vec<Vec<u8>>,
}

/// What becomes of a task.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    /// The connections listed.
    Listed(Set),
    /// The rows read, and whether there are more.
    Page(Vec<(u8, Set)>, bool),
    /// It is done.
    Done,
    /// What became of each order.
    Pushed(Vec<PushReport>),
    /// The wait is over.
    Waited,
    /// There is no time.
    OutOfTime,
    /// It could not be carried out.
    Failed,
}

impl PartialEq for RunAt {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for RunAt {}

impl RunAt {
    fn new((run, command): (Run<()>, Command<()>)) -> Self {
        let run = run.without_stats();
        let task = Task::of(&command);
        // When it is over only the outcomes matter, and not how they came about.
        let id = if let Task::Finish(_) = task { fingerprint(&task) } else { fingerprint(&(&run, &command)) };
        Self { id, run, command, task }
    }

    /// Stands for it.
    pub const fn id(&self) -> u64 {
        self.id
    }

    fn renamed(&self, names: Numbers, connected: Numbers) -> Self {
        let name = |old: &_| connection_id(names[usize::from(connection_index(old))]);
        let connected_at = |new: &_| millis(connected[usize::from(connection_index(new))]);
        Self::new(self.run.renamed(&self.command, name, connected_at))
    }
}

impl Task {
    fn of(command: &Command<()>) -> Self {
        let set = |ids: &std::collections::BTreeSet<_>| ids.iter().map(connection_index).collect::<Set>();
        match command {
            Command::ListConnections => Self::List,
            Command::ReadPage { after, up_to, due_for, limit } => Self::Read {
                after: after.map_or(0, number),
                up_to: number(*up_to),
                due_for: due_for.iter().map(connection_index).collect(),
                limit: *limit,
            },
            Command::Put(rows) => {
                Self::Put(rows.iter().map(|row| (number(row.item.sequence), set(&row.pushed_to))).collect())
            }
            Command::Delete(rows) => Self::Delete(rows.iter().map(|row| number(*row)).collect()),
            Command::Mark(rows) => {
                Self::Mark(rows.iter().map(|(row, ids)| (number(*row), set(ids))).collect())
            }
            Command::Forget(gone) => Self::Forget(gone.iter().map(|c| connection_index(&c.id)).collect()),
            Command::Push(orders) => {
                let order = |order: &dispatcher::core::run::PushRequest<()>| Order {
                    connection: connection_index(&order.connection),
                    frames: order
                        .frames
                        .iter()
                        .map(|frame| frame.items.iter().map(|i| number(i.item.sequence)).collect())
                        .collect(),
                };
                Self::Push(orders.iter().map(order).collect())
            }
            Command::Wait { .. } => Self::Wait,
            Command::EnqueueReplay(up_to) => Self::Enqueue(number(*up_to)),
            Command::Finish(report) => {
                Self::Finish(report.outcomes.iter().map(|outcome| *outcome == Outcome::Done).collect())
            }
        }
    }

    /// How many steps it takes: a write of several rows takes one for each. Rows of connections are
    /// deleted at once, for `$disconnect` can do the same to any of them at any time.
    pub fn rows(&self) -> usize {
        match self {
            Self::Put(rows) | Self::Mark(rows) => rows.len(),
            Self::Delete(rows) => rows.len(),
            _ => 1,
        }
    }
}

/// A replayer's machine after an event.
#[derive(Debug)]
pub struct ReplayAt {
    id: u64,
    machine: replayer::Machine,
    /// What it wants done.
    pub command: replayer::Command,
}

impl PartialEq for ReplayAt {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for ReplayAt {}

impl ReplayAt {
    fn new(machine: replayer::Machine) -> Self {
        let command = machine.command();
        let id = match &command {
            replayer::Command::Finish(result) => fingerprint(&result.is_ok()),
            _ => fingerprint(&machine),
        };
        Self { id, machine, command }
    }

    /// Stands for it.
    pub const fn id(&self) -> u64 {
        self.id
    }
}

/// What a state of a machine is known by.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Key {
    Start(Vec<Queued>),
    Answered { id: u64, answer: Answer, now: Timestamp, connected: Numbers },
}

/// All that the machines were seen to do.
#[derive(Debug, Default)]
pub(crate) struct Machines {
    runs: Table<Key, Arc<RunAt>>,
    states: Table<u64, Arc<RunAt>>,
    names: Table<(u64, Numbers, Numbers), u64>,
    replays: Table<(u64, replayer::Event), Arc<ReplayAt>>,
}

impl Machines {
    /// A run begins.
    pub(crate) fn start(&self, limits: Limits, entries: &[Queued]) -> Arc<RunAt> {
        self.runs.get(Key::Start(entries.to_vec()), || {
            let entries = entries.iter().map(|queued| match queued.entry {
                Entry::Replay(n) => RunEntry::Replay(sequence(n)),
                Entry::Notification(n) => {
                    RunEntry::Notification { item: item(n), redelivered: queued.received }
                }
            });
            self.known(RunAt::new(Run::start(limits, entries.collect())))
        })
    }

    /// A run gets an answer. `connected` says when each of `lives` connected.
    pub(crate) fn answer(
        &self,
        at: &RunAt,
        answer: Answer,
        now: Timestamp,
        (lives, connected): (&[OpenConnection], Numbers),
    ) -> Arc<RunAt> {
        let key = Key::Answered { id: at.id, answer: answer.clone(), now, connected };
        self.runs.get(key, || {
            let event = match answer {
                Answer::Listed(listed) => {
                    let live = |index: u8| {
                        let index = usize::from(index);
                        OpenConnection { connected_at: millis(connected[index]), ..lives[index].clone() }
                    };
                    Event::Listed(listed.iter().map(live).collect())
                }
                Answer::Page(rows, more) => {
                    let row = |(n, pushed_to): (u8, Set)| HeldItem {
                        item: item(n),
                        pushed_to: pushed_to.iter().map(connection_id).collect(),
                    };
                    Event::Page { rows: rows.into_iter().map(row).collect(), more }
                }
                Answer::Done => Event::Done,
                Answer::Pushed(reports) => Event::Pushed(reports),
                Answer::Waited => Event::Waited,
                Answer::OutOfTime => Event::OutOfTime,
                Answer::Failed => Event::Failed,
            };
            let mut run = at.run.clone();
            let command = run.on(event, now);
            self.known(RunAt::new((run, command)))
        })
    }

    /// The run, with new names for its connections and, for the new names, new times of connecting.
    pub(crate) fn renamed(&self, at: &RunAt, names: Numbers, connected: Numbers) -> Arc<RunAt> {
        self.known(at.renamed(names, connected))
    }

    /// What stands for the renamed run.
    pub(crate) fn renamed_id(&self, at: &RunAt, names: Numbers, connected: Numbers) -> u64 {
        self.names.get((at.id, names, connected), || at.renamed(names, connected).id)
    }

    /// The state of a run as it was first seen, for there are many ways to it.
    fn known(&self, at: RunAt) -> Arc<RunAt> {
        self.states.get(at.id, || Arc::new(at))
    }

    /// A replay begins.
    pub(crate) fn replay(page: u8, batch: u8) -> Arc<ReplayAt> {
        Arc::new(ReplayAt::new(replayer::Machine::new(usize::from(page), usize::from(batch))))
    }

    /// A replay goes on.
    pub(crate) fn replayed(&self, at: &ReplayAt, event: replayer::Event) -> Arc<ReplayAt> {
        self.replays.get((at.id, event.clone()), || {
            let mut machine = at.machine.clone();
            machine.handle(event);
            Arc::new(ReplayAt::new(machine))
        })
    }
}

fn millis(number: u8) -> Timestamp {
    Timestamp::from_millis(u64::from(number))
}

/// Numbers of notifications as keys of the mailbox.
pub(crate) fn keys(notifications: impl Iterator<Item = u8>) -> Vec<Sequence> {
    notifications.map(sequence).collect()
}

const SHARDS: usize = 16;

/// What was computed once, shared by all threads.
#[derive(Debug)]
struct Table<K, V>([RwLock<HashMap<K, V>>; SHARDS]);

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| RwLock::default()))
    }
}

impl<K: Hash + Eq, V: Clone> Table<K, V> {
    fn get(&self, key: K, compute: impl FnOnce() -> V) -> V {
        let shard = usize::try_from(fingerprint(&key) % 16).unwrap_or_default();
        let shard = &self.0[shard % SHARDS];
        if let Some(known) = shard.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return known.clone();
        }
        let new = compute();
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        shard.entry(key).or_insert(new).clone()
    }
}
