//! A run through the world, told so that people can read it.

use std::fmt::Write as _;

use crate::Delivery;
use crate::action::{Action, Outcome};
use crate::machine::Task;
use crate::promise::Promise;
use crate::rule::Rule;
use crate::set::Set;
use crate::world::{Broken, Dispatch, Entry, Replay, Socket, World, number};

/// Goes through actions from the start and says what happens, line by line. The last line says which
/// promise is broken, if one is.
pub fn tell(model: &Delivery, actions: &[Action]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut world = model.start();
    for action in actions {
        world = model.apply_telling(&world, *action, |world, action| lines.push(line(model, world, action)));
    }
    if let Some(promise) = Promise::broken(model, &world) {
        lines.push(end(promise, &world));
    }
    lines
}

/// One step, said before it is made.
fn line(model: &Delivery, world: &World, action: Action) -> String {
    let socket = |index: u8| world.connections[usize::from(index)].socket;
    match action {
        Action::Accept => format!("producer: n{} is accepted", world.accepted + 1),
        Action::Connect => {
            let index = world.connections.len();
            let acknowledges = if model.lives[index].acknowledges { "acknowledges" } else { "takes pushes" };
            format!("edge: admits c{}, which {acknowledges}, and writes its row", index + 1)
        }
        Action::Open(index) => format!("{}: the handshake is over, it is open", c(index)),
        Action::Close(index) if socket(index) == Socket::Handshaking => {
            format!("{}: the handshake fails", c(index))
        }
        Action::Close(index) => format!("{}: closes", c(index)),
        Action::HalfOpen(index) => format!("{}: the client is gone and the gateway does not know", c(index)),
        Action::Disconnect(index) => format!("edge: $disconnect deletes the row of {}", c(index)),
        Action::EndGrace(index) => format!("clock: the grace of {} is over", c(index)),
        Action::Acknowledge(index, n) => {
            format!("edge: takes the ack of n{n} over {} and deletes its row", c(index))
        }
        Action::Receive(count) => {
            let entries = world.queue.iter().take(usize::from(count));
            let again = entries.clone().any(|queued| queued.received);
            let entries: Vec<_> = entries.map(|queued| entry(queued.entry)).collect();
            let again = if again { ", not for the first time" } else { "" };
            format!("dispatcher: receives {}{again}", entries.join(", "))
        }
        Action::Dispatch(outcome) => world.dispatch.as_ref().map_or_else(String::new, |dispatch| {
            format!("dispatcher: {}{}", command(model, world, dispatch), how(outcome))
        }),
        Action::Push(order, outcome) => {
            world.dispatch.as_ref().map_or_else(String::new, |dispatch| push(world, dispatch, order, outcome))
        }
        Action::DispatcherCrash => "dispatcher: crashes".to_owned(),
        Action::Record(index) => format!("replayer: receives the stream record of {}", c(index)),
        Action::Replay(outcome) => world.replay.as_ref().map_or_else(String::new, |replay| {
            format!("replayer: {}", replayer_step(model, world, replay, outcome))
        }),
        Action::ReplayerCrash => "replayer: crashes".to_owned(),
    }
}

fn command(model: &Delivery, world: &World, dispatch: &Dispatch) -> String {
    let row = model.row(dispatch);
    match &dispatch.at.task {
        Task::List => match model.told(world, dispatch) {
            listed if listed.is_empty() => "lists connections: none".to_owned(),
            listed => format!("lists connections: {}", names("c", listed, 1)),
        },
        Task::Read { up_to, due_for, .. } => {
            let due_for = names("c", *due_for, 1);
            let due = model.due(world, dispatch).into_iter().collect();
            let found = if due == Set::default() { "nothing".to_owned() } else { names("n", due, 0) };
            format!("reads what is held up to n{up_to} and due for {due_for}: {found}")
        }
        Task::Put(rows) => {
            let (n, to) = rows[row];
            if to.is_empty() {
                format!("puts n{n} into the mailbox")
            } else {
                let when = match model.without {
                    Some(Rule::WriteAhead) => "would put",
                    Some(Rule::WriteBeforePush) => "leaves for after the push: to put",
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
            let gone = match model.without {
                _ if world.held.contains(n) => "",
                Some(Rule::MarkOnlyIfThere) => ", which brings it back",
                _ => ": it is not there any more",
            };
            format!("marks the row of n{n} as pushed to {to}{gone}")
        }
        Task::Forget(gone) => format!("takes {} for gone and deletes the row", names("c", *gone, 1)),
        Task::Push(_) => "pushes".to_owned(),
        Task::Wait => "waits and tries again".to_owned(),
        Task::Enqueue(up_to) if model.without == Some(Rule::QueueReplayWhenDeferred) => {
            format!("would queue a replay up to n{up_to}")
        }
        Task::Enqueue(up_to) => format!("queues a replay up to n{up_to}"),
        Task::Finish(outcomes) => match outcomes.iter().filter(|done| !**done).count() {
            0 if model.without == Some(Rule::FailureStopsThatUserOnly) && world.faults.timeouts > 0 => {
                "is done; another user's run fails, and this one's entries stay in the queue".to_owned()
            }
            0 => "is done; the entries leave the queue".to_owned(),
            retried => format!("ends; the last {retried} of its entries stay in the queue"),
        },
    }
}

fn push(world: &World, dispatch: &Dispatch, order: u8, outcome: Outcome) -> String {
    let Task::Push(orders) = &dispatch.at.task else { return String::new() };
    let order = &orders[usize::from(order)];
    let index = order.connection;
    let accepted = usize::from(dispatch.pushes[usize::from(index)].accepted);
    let what = names("n", order.frames[accepted].iter().copied().collect(), 0);
    let became = match (outcome, world.connections[usize::from(index)].socket) {
        (Outcome::FailedBefore, _) => "it fails, and may succeed later",
        (_, Socket::Handshaking) => "410, for it is not open yet",
        (_, Socket::Closed) => "410, for it is closed",
        (Outcome::FailedAfter, _) => "it arrives, and yet is reported failed",
        (_, Socket::HalfOpen) => "the gateway takes it, and nobody receives it",
        (_, Socket::Open) => "it arrives",
    };
    format!("dispatcher: pushes {what} to {}: {became}", c(index))
}

fn replayer_step(model: &Delivery, world: &World, replay: &Replay, outcome: Outcome) -> String {
    if outcome == Outcome::OutOfTime {
        return "its time is up".to_owned();
    }
    match &replay.at.command {
        replayer::Command::ReadKeys { .. } if outcome == Outcome::Done => match model.keys(world) {
            held if held.is_empty() => "reads the keys of the mailbox: none".to_owned(),
            held => format!("reads the keys of the mailbox, which holds {}", names("n", held, 0)),
        },
        replayer::Command::ReadKeys { .. } => format!("reads the keys of the mailbox{}", how(outcome)),
        replayer::Command::Send(batch) => {
            let rows = names("n", batch.iter().map(|key| number(*key)).collect(), 0);
            format!("queues a replay for each of {rows}{}", how(outcome))
        }
        replayer::Command::Wait { .. } => "waits and tries again".to_owned(),
        replayer::Command::Finish(Ok(_)) if outcome == Outcome::Done => "is done with the record".to_owned(),
        replayer::Command::Finish(Ok(_)) => "is done with the record, which comes again".to_owned(),
        replayer::Command::Finish(Err(_)) => "gives up".to_owned(),
    }
}

const fn how(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "",
        Outcome::FailedBefore => ": it fails",
        Outcome::FailedAfter => ": it is done, and yet reported failed",
        Outcome::Part => ": only the first is taken",
        Outcome::OutOfTime => ": there is no time for that",
    }
}

fn end(promise: Promise, world: &World) -> String {
    let undelivered = names("n", world.all().without(world.delivered), 0);
    match (promise, world.broken) {
        (Promise::NothingLost, _) => {
            let lost = world.all().without(world.delivered).without(world.queued()).without(world.held);
            format!("LOST: {} is neither delivered nor queued nor held", names("n", lost, 0))
        }
        (_, Some(Broken::Order { first, later })) => {
            format!("OUT OF ORDER: n{first} arrives for the first time after n{later}")
        }
        (_, Some(Broken::Repeated { notification, connection })) => {
            format!("NEEDLESS REPEAT: n{notification} arrives over {} again", c(connection))
        }
        (_, Some(Broken::Nonsense(what))) => format!("NONSENSE: {what}"),
        (Promise::NothingStranded, _) => {
            format!("STRANDED: somebody is there, all is quiet, and {undelivered} has not arrived")
        }
        (Promise::MailboxEmpties, _) => {
            format!("LEFT OVER: every ack is in, all is quiet, and {} is held", names("n", world.held, 0))
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
        // To a string: never fails.
        let _ = write!(text, "{separator}{prefix}{}", member + offset);
    }
    text
}
