//! The real machines of dispatcher and replayer, with each of their states kept once.
//!
//! A machine has far fewer states than the system. Its reaction to an event is computed by the real core once
//! and remembered, so that a system state refers to a machine's state and is cheap to copy and to compare.
//! [`Machines`] is shared by all threads of an exploration; its tables have locks of their own.

use std::sync::Arc;

use contract_notifications_v1::{Timestamp, WhenOffline};
use dispatcher::core::run::{
    Command, Entry as RunEntry, Event, HeldItem, Item, Limits, OpenConnection, Run, SetAside,
};

use crate::ids::{PerConnection, connection_id, connection_index, sequence};
use crate::memo::{Memo, fingerprint};
use crate::queue::{Entry, QueuedEntry};
use crate::set::Set;
use crate::task::{Answer, Task};

/// The dispatcher's machine after an event.
#[derive(Debug)]
pub struct DispatcherState {
    /// Fingerprint of the machine and its command.
    id: u64,
    /// The real machine and its last command.
    run: Run<()>,
    command: Command<()>,
    /// The command in the model's terms.
    pub task: Task,
}

impl PartialEq for DispatcherState {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for DispatcherState {}

impl DispatcherState {
    fn new((run, command): (Run<()>, Command<()>)) -> Self {
        let run = run.without_stats();
        let task = Task::of(&command);
        // At the end of a run only its outcomes matter, not the way to them.
        let id = if let Task::Finish(_) = task { fingerprint(&task) } else { fingerprint(&(&run, &command)) };
        Self { id, run, command, task }
    }

    /// The fingerprint of the state.
    pub const fn id(&self) -> u64 {
        self.id
    }

    fn renamed(&self, names: PerConnection, connected: PerConnection) -> Self {
        let name = |old: &_| connection_id(names[usize::from(connection_index(old))]);
        let connected_at = |new: &_| millis(connected[usize::from(connection_index(new))]);
        Self::new(self.run.renamed(&self.command, name, connected_at))
    }
}

/// The replayer's machine after an event.
#[derive(Debug)]
pub struct ReplayerState {
    id: u64,
    machine: replayer::Machine,
    /// The machine's last command.
    pub command: replayer::Command,
}

impl PartialEq for ReplayerState {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for ReplayerState {}

impl ReplayerState {
    fn new(machine: replayer::Machine) -> Self {
        let command = machine.command();
        let id = match &command {
            replayer::Command::Finish(result) => fingerprint(&result.is_ok()),
            _ => fingerprint(&machine),
        };
        Self { id, machine, command }
    }

    /// The fingerprint of the state.
    pub const fn id(&self) -> u64 {
        self.id
    }
}

/// The way in which a run reached a state: everything its next state depends on.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Transition {
    Start(Vec<QueuedEntry>, SetAside),
    Answered { id: u64, answer: Answer, now: Timestamp, connected: PerConnection },
}

/// Every known reaction of the machines.
#[derive(Debug, Default)]
pub(crate) struct Machines {
    runs: Memo<Transition, Arc<DispatcherState>>,
    states: Memo<u64, Arc<DispatcherState>>,
    names: Memo<(u64, PerConnection, PerConnection), u64>,
    replays: Memo<(u64, replayer::Event), Arc<ReplayerState>>,
}

impl Machines {
    /// Starts a run of the dispatcher with these entries.
    pub(crate) fn start_run(
        &self,
        limits: Limits,
        entries: &[QueuedEntry],
        set_aside: SetAside,
    ) -> Arc<DispatcherState> {
        self.runs.get(Transition::Start(entries.to_vec(), set_aside), || {
            let entries = entries.iter().map(|queued| match queued.entry {
                Entry::Replay(n) => RunEntry::Replay(sequence(n)),
                Entry::Notification(n) => {
                    RunEntry::Notification { item: item(n), redelivered: queued.received }
                }
            });
            let (run, command) = Run::start(limits, entries.collect());
            self.shared(DispatcherState::new((run.set_aside(set_aside), command)))
        })
    }

    /// Answers a run's command. `connected` has the time at which each of `live` connected.
    pub(crate) fn answer_run(
        &self,
        state: &DispatcherState,
        answer: Answer,
        now: Timestamp,
        (live, connected): (&[OpenConnection], PerConnection),
    ) -> Arc<DispatcherState> {
        let key = Transition::Answered { id: state.id, answer: answer.clone(), now, connected };
        self.runs.get(key, || {
            let event = match answer {
                Answer::Listed(listed) => {
                    let live = |index: u8| {
                        let index = usize::from(index);
                        OpenConnection { connected_at: millis(connected[index]), ..live[index].clone() }
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
            let mut run = state.run.clone();
            let command = run.on(event, now);
            self.shared(DispatcherState::new((run, command)))
        })
    }

    /// The run with new names for its connections and, by the new names, new times of connecting.
    pub(crate) fn rename_run(
        &self,
        state: &DispatcherState,
        names: PerConnection,
        connected: PerConnection,
    ) -> Arc<DispatcherState> {
        self.shared(state.renamed(names, connected))
    }

    /// The fingerprint of the renamed run.
    pub(crate) fn renamed_id(
        &self,
        state: &DispatcherState,
        names: PerConnection,
        connected: PerConnection,
    ) -> u64 {
        self.names.get((state.id, names, connected), || state.renamed(names, connected).id)
    }

    /// The one copy of a run's state, to which many transitions may lead.
    fn shared(&self, state: DispatcherState) -> Arc<DispatcherState> {
        self.states.get(state.id, || Arc::new(state))
    }

    /// Starts a replay with at most `page` keys a read and `batch` entries a request.
    pub(crate) fn start_replay(page: u8, batch: u8) -> Arc<ReplayerState> {
        Arc::new(ReplayerState::new(replayer::Machine::new(usize::from(page), usize::from(batch))))
    }

    /// Answers a replay's command.
    pub(crate) fn answer_replay(&self, state: &ReplayerState, event: replayer::Event) -> Arc<ReplayerState> {
        self.replays.get((state.id, event.clone()), || {
            let mut machine = state.machine.clone();
            machine.handle(event);
            Arc::new(ReplayerState::new(machine))
        })
    }
}

fn millis(number: u8) -> Timestamp {
    Timestamp::from_millis(u64::from(number))
}

/// Notification `n` as an item of the dispatcher's machine.
fn item(n: u8) -> Item<()> {
    Item { sequence: sequence(n), expires_at: None, when_offline: WhenOffline::Hold, len: 1, body: () }
}
