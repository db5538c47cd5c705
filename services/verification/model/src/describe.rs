//! Descriptions of paths for people: one line for each step, named after who acts.

use std::fmt::Write as _;

use contract_notifications_v1::Sequence;

use crate::action::{Action, Outcome};
use crate::ids::number;
use crate::model::Delivery;
use crate::promise::Promise;
use crate::queue::Entry;
use crate::rule::Rule;
use crate::set::Set;
use crate::state::{DispatcherRun, ReplayerRun, Socket, State, Violation};
use crate::task::Task;

/// Describes the steps of a path from the start. If the last state breaks a promise, a last line says which.
pub fn describe(model: &Delivery, actions: &[Action]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut state = model.start();
    for action in actions {
        state = model.apply_with(&state, *action, |state, action| lines.push(line(model, state, action)));
    }
    if let Some(promise) = Promise::broken(model, &state) {
        lines.push(violation(promise, &state));
    }
    lines
}

/// Describes one step from the state before it.
fn line(model: &Delivery, state: &State, action: Action) -> String {
    let socket = |index: u8| state.connections[usize::from(index)].socket;
    match action {
        Action::Accept => format!("producer: n{} is accepted", state.accepted + 1),
        Action::Connect => {
            let index = state.connections.len();
            let acknowledges =
                if model.live[index].acknowledges { "acknowledges" } else { "does not acknowledge" };
            format!("edge: admits c{}, which {acknowledges}, and writes its row", index + 1)
        }
        Action::Open(index) => format!("{}: the handshake ends, the connection is open", c(index)),
        Action::Close(index) if socket(index) == Socket::Handshaking => {
            format!("{}: the handshake fails", c(index))
        }
        Action::Close(index) => format!("{}: closes", c(index)),
        Action::HalfOpen(index) => {
            format!("{}: the client is gone and the gateway does not know", c(index))
        }
        Action::Disconnect(index) => format!("edge: $disconnect deletes the row of {}", c(index)),
        Action::EndGrace(index) => format!("clock: the grace of {} ends", c(index)),
        Action::Acknowledge(index, n) => {
            format!("edge: takes the ack of n{n} from {} and deletes the row", c(index))
        }
        Action::Receive(count) => {
            let entries = state.queue.iter().take(usize::from(count));
            let again = entries.clone().any(|queued| queued.received);
            let entries: Vec<_> = entries.map(|queued| entry(queued.entry)).collect();
            let again = if again { ", redelivered" } else { "" };
            format!("dispatcher: receives {}{again}", entries.join(", "))
        }
        Action::SetAside(count) => {
            let entries: Vec<_> =
                state.queue.iter().take(usize::from(count)).map(|queued| entry(queued.entry)).collect();
            format!("dispatcher: receives {} once more, and sets them aside", entries.join(", "))
        }
        Action::Sweep if model.without == Some(Rule::SweepScheduledReplays) => {
            "replayer: would queue the scheduled replay".to_owned()
        }
        Action::Sweep => format!("replayer: queues the scheduled replay up to n{}", state.accepted),
        Action::Dispatch(outcome) => state.dispatcher.as_ref().map_or_else(String::new, |run| {
            format!("dispatcher: {}{}", command(model, state, run), suffix(outcome))
        }),
        Action::Push(order, outcome) => {
            state.dispatcher.as_ref().map_or_else(String::new, |run| push(state, run, order, outcome))
        }
        Action::DispatcherCrash => "dispatcher: crashes".to_owned(),
        Action::Record(index) => format!("replayer: receives the stream record of {}", c(index)),
        Action::Replay(outcome) => state.replayer.as_ref().map_or_else(String::new, |run| {
            format!("replayer: {}", replayer_command(model, state, run, outcome))
        }),
        Action::ReplayerCrash => "replayer: crashes".to_owned(),
    }
}

fn command(model: &Delivery, state: &State, run: &DispatcherRun) -> String {
    let row = model.next_row(run);
    match &run.machine.task {
        Task::List => match model.listing(state, run) {
            listed if listed.is_empty() => "lists connections: none".to_owned(),
            listed => format!("lists connections: {}", names("c", listed, 1)),
        },
        Task::Read { up_to, due_for, .. } => {
            let due_for = names("c", *due_for, 1);
            let due = model.due(state, run).into_iter().collect();
            let found = if due == Set::default() { "nothing".to_owned() } else { names("n", due, 0) };
            format!("reads held rows up to n{up_to} that are due for {due_for}: {found}")
        }
        Task::Put(rows) => {
            let (n, to) = rows[row];
            if to.is_empty() {
                format!("puts n{n} into the mailbox")
            } else {
                let when = match model.without {
                    Some(Rule::WriteAhead) => "would put",
                    Some(Rule::WriteBeforePush) => "postpones until after the push: to put",
                    _ => "before the push, puts",
                };
                format!("{when} n{n} into the mailbox as pushed to {}", names("c", to, 1))
            }
        }
        Task::Delete(rows) => {
            format!("deletes the row of n{}", rows[row])
        }
        Task::Mark(rows) => {
            let (n, to) = rows[row];
            let to = names("c", to, 1);
            let note = match model.without {
                _ if state.held.contains(n) => "",
                Some(Rule::MarkOnlyIfThere) => ", which brings it back",
                _ => ": it is gone",
            };
            format!("marks the row of n{n} as pushed to {to}{note}")
        }
        Task::Forget(gone) => format!("takes {} for gone and deletes the row", names("c", *gone, 1)),
        Task::Push(_) => "pushes".to_owned(),
        Task::Wait => "waits and tries again".to_owned(),
        Task::Enqueue(up_to) if model.without == Some(Rule::QueueReplayWhenDeferred) => {
            format!("would queue a replay up to n{up_to}")
        }
        Task::Enqueue(up_to) => format!("queues a replay up to n{up_to}"),
        Task::Schedule => "schedules a replay of the mailbox".to_owned(),
        Task::Finish(outcomes) => match outcomes.iter().filter(|done| !**done).count() {
            0 if model.without == Some(Rule::FailureStopsThatUserOnly) && state.faults.timeouts > 0 => {
                "ends; another user's run fails, and this run's entries stay in the queue".to_owned()
            }
            0 => "ends; the entries leave the queue".to_owned(),
            retried => format!("ends; the last {retried} of its entries stay in the queue"),
        },
    }
}

fn push(state: &State, run: &DispatcherRun, order: u8, outcome: Outcome) -> String {
    let Task::Push(orders) = &run.machine.task else { return String::new() };
    let order = &orders[usize::from(order)];
    let index = order.connection;
    let accepted = usize::from(run.pushes[usize::from(index)].accepted);
    let frame = names("n", order.frames[accepted].iter().copied().collect(), 0);
    let result = match (outcome, state.connections[usize::from(index)].socket) {
        (Outcome::FailedBefore, _) => "it fails for now",
        (_, Socket::Handshaking) => "410, not open yet",
        (_, Socket::Closed) => "410, closed",
        (Outcome::FailedAfter, _) => "it arrives but is reported failed",
        (_, Socket::HalfOpen) => "the gateway accepts it, the client does not receive it",
        (_, Socket::Open) => "it arrives",
    };
    format!("dispatcher: pushes {frame} to {}: {result}", c(index))
}

fn replayer_command(model: &Delivery, state: &State, run: &ReplayerRun, outcome: Outcome) -> String {
    if outcome == Outcome::OutOfTime {
        return "runs out of time".to_owned();
    }
    match &run.machine.command {
        replayer::Command::ReadKeys { .. } if outcome == Outcome::Done => match model.visible_keys(state) {
            held if held.is_empty() => "reads the keys of the mailbox: none".to_owned(),
            held => format!("reads the keys of the mailbox, which holds {}", names("n", held, 0)),
        },
        replayer::Command::ReadKeys { .. } => format!("reads the keys of the mailbox{}", suffix(outcome)),
        replayer::Command::Send(batch) => {
            let bound = |key: &Sequence| match *key {
                Sequence::MAX => "everything held".to_owned(),
                key => format!("n{}", number(key)),
            };
            let bounds: Vec<_> = batch.iter().map(bound).collect();
            format!("queues a replay up to {}{}", bounds.join(", and up to "), suffix(outcome))
        }
        replayer::Command::Wait { .. } => "waits and tries again".to_owned(),
        replayer::Command::Finish(Ok(_)) if outcome == Outcome::Done => "completes the record".to_owned(),
        replayer::Command::Finish(Ok(_)) => "completes the record, which comes again".to_owned(),
        replayer::Command::Finish(Err(_)) => "gives up".to_owned(),
    }
}

const fn suffix(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "",
        Outcome::FailedBefore => ": it fails",
        Outcome::FailedAfter => ": it is done but reported failed",
        Outcome::Part => ": only the first is taken",
        Outcome::OutOfTime => ": time is up",
    }
}

fn violation(promise: Promise, state: &State) -> String {
    let undelivered = names("n", state.all().without(state.delivered), 0);
    match (promise, state.violation) {
        (Promise::NothingLost, _) => {
            let lost = state.all().without(state.delivered).without(state.queued()).without(state.held);
            format!("LOST: {} is not delivered, queued or held", names("n", lost, 0))
        }
        (_, Some(Violation::Order { first, later })) => {
            format!("OUT OF ORDER: n{first} arrives for the first time after n{later}")
        }
        (_, Some(Violation::Repeated { notification, connection })) => {
            format!("NEEDLESS REPEAT: n{notification} arrives on {} again", c(connection))
        }
        (_, Some(Violation::InvalidOutput(problem))) => format!("INVALID OUTPUT: {problem}"),
        (Promise::NothingStranded, _) => {
            format!("STRANDED: a connection is open, all is quiet, and {undelivered} has not arrived")
        }
        (Promise::MailboxEmpties, _) => {
            let held = names("n", state.held, 0);
            format!("LEFT OVER: every ack is in, all is quiet, and {held} is held")
        }
        (promise, _) => format!("BROKEN: {promise}"),
    }
}

fn entry(entry: Entry) -> String {
    match entry {
        Entry::Notification(n) => format!("n{n}"),
        Entry::Replay(n) => format!("replay(n{n})"),
    }
}

fn c(index: u8) -> String {
    format!("c{}", index + 1)
}

fn names(prefix: &str, members: Set, offset: u8) -> String {
    let mut text = String::new();
    for member in members.iter() {
        let separator = if text.is_empty() { "" } else { ", " };
        // Writing to a string never fails.
        let _ = write!(text, "{separator}{prefix}{}", member + offset);
    }
    text
}
