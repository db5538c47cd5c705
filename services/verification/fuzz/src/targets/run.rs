//! A run of the dispatcher in an environment where every command may fail, before or after its effect, and
//! may be answered by an event that does not answer it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use arbitrary::Arbitrary;
use contract_connections_v1::{ConnectionId, FrameFormat};
use contract_notifications_v1::{Sequence, Timestamp, WhenOffline};
use dispatcher::core::ConnectionSet;
use dispatcher::core::run::{
    Command, Entry, Event, HeldItem, Item, Limits, OpenConnection, Outcome, PushReport, PushRequest, Refusal,
    Report, Run, SetAside,
};

use crate::input::{Verdict, decode};

#[derive(Debug, Arbitrary)]
struct Input {
    inline_drain: u8,
    replay_drain: u8,
    page: u8,
    batch_bytes: u8,
    held: Vec<AnyHeldItem>,
    entries: Vec<AnyEntry>,
    connections: Vec<AnyConnection>,
    answers: Vec<Answer>,
}

#[derive(Debug, Arbitrary)]
struct AnyHeldItem {
    gap: u8,
    item: AnyItem,
    /// A bit for each connection to which it was pushed.
    pushed_to: u8,
}

#[derive(Debug, Arbitrary)]
struct AnyItem {
    len: u8,
    expires_at: Option<u16>,
    drop: bool,
}

#[derive(Debug, Arbitrary)]
enum AnyEntry {
    Notification {
        gap: u8,
        item: AnyItem,
        redelivered: bool,
        /// True if an earlier delivery put it into the mailbox.
        stored: bool,
    },
    Replay(u8),
}

#[derive(Debug, Arbitrary)]
struct AnyConnection {
    connected_at: u16,
    acknowledges: bool,
    format: u8,
}

/// The answer to a command, and the events before it.
#[derive(Debug, Arbitrary)]
struct Answer {
    elapsed_ms: u16,
    change: Option<Change>,
    result: CommandResult,
}

#[derive(Debug, Arbitrary)]
enum Change {
    Connect(AnyConnection),
    Disconnect(u8),
    Acknowledge(u8),
}

#[derive(Debug, Arbitrary)]
enum CommandResult {
    Done {
        pushes: Vec<(u8, bool)>,
    },
    FailedBefore,
    FailedAfter,
    FailedInPart(u8),
    /// An event that doesn't answer the command.
    Unexpected(u8),
    OutOfTime,
}

/// More commands than any of these runs takes.
const MAX_COMMANDS: usize = 5_000;
/// Most rows held and most entries.
const MAX_ITEMS: usize = 12;
/// A sequence after those of all rows held at the start.
const FIRST_NEW: u128 = 10_000;

type Body = ();

#[derive(Default)]
struct Environment {
    now: Timestamp,
    connections: Vec<OpenConnection>,
    connected: usize,
    mailbox: BTreeMap<Sequence, HeldItem<Body>>,
    acknowledged: BTreeSet<Sequence>,
    /// Rows that each connection accepted, in order.
    accepted: BTreeMap<ConnectionId, Vec<Sequence>>,
    /// Rows accepted by a connection that doesn't acknowledge.
    delivered: BTreeSet<Sequence>,
    batch_bytes: usize,
    replays: Vec<Sequence>,
}

/// Runs the dispatcher's machine to its end: pushes are in order, and a completed entry is not lost.
pub fn run(bytes: &[u8]) -> Verdict {
    decode(bytes, |input: Input| check_run(&input))
}

fn check_run(input: &Input) {
    let limits = Limits {
        inline_drain: usize::from(input.inline_drain % 5),
        replay_drain: usize::from(input.replay_drain % 8),
        page: usize::from(input.page % 5) + 1,
        grace: Duration::from_secs(5),
        batch_bytes: usize::from(input.batch_bytes) + 1,
        drop_hold: Duration::from_secs(30),
    };
    let mut environment = Environment { batch_bytes: limits.batch_bytes, ..Environment::default() };
    for connection in input.connections.iter().take(4) {
        environment.connect(connection);
    }
    environment.hold(&input.held);
    let entries = environment.entries(&input.entries);
    let (mut run, mut command) = Run::start(limits, entries.clone());
    run = run.set_aside(match input.page >> 6 {
        0 | 1 => SetAside::Never,
        2 => SetAside::Blocked,
        _ => SetAside::All,
    });
    let mut answers = input.answers.iter();
    let mut commands = 0;
    let report = loop {
        commands += 1;
        assert!(commands <= MAX_COMMANDS, "the run does not end");
        if let Command::Finish(report) = command {
            break report;
        }
        let event = match answers.next() {
            Some(answer) => environment.answer(&command, answer),
            None => environment.succeed(command),
        };
        command = run.on(event, environment.now);
    };
    environment.check_report(&entries, &report);
    // An event after the end changes nothing.
    let Command::Finish(_) = run.on(Event::Done, environment.now) else {
        panic!("the run goes on after its end")
    };
}

impl Environment {
    fn connect(&mut self, connection: &AnyConnection) {
        self.connected += 1;
        let format =
            [FrameFormat::Single, FrameFormat::Batch, FrameFormat::Raw][usize::from(connection.format % 3)];
        self.connections.push(OpenConnection {
            id: connection_id(self.connected - 1),
            connected_at: Timestamp::from_millis(connection.connected_at.into()),
            acknowledges: connection.acknowledges && format != FrameFormat::Raw,
            format,
        });
    }

    fn hold(&mut self, held: &[AnyHeldItem]) {
        let mut sequence = 0;
        for row in held.iter().take(MAX_ITEMS) {
            sequence += 1 + u128::from(row.gap);
            let pushed_to = (0..4).filter(|bit| row.pushed_to >> bit & 1 == 1).map(connection_id).collect();
            let item = row.item.build(Sequence::new(sequence));
            self.mailbox.insert(item.sequence, HeldItem { item, pushed_to });
        }
    }

    /// The run's entries. The sequences of notifications ascend, as in the queue.
    fn entries(&mut self, entries: &[AnyEntry]) -> Vec<Entry<Body>> {
        let mut sequence = FIRST_NEW;
        let rows: Vec<_> = self.mailbox.keys().copied().collect();
        let mut made = Vec::new();
        for entry in entries.iter().take(MAX_ITEMS) {
            made.push(match entry {
                AnyEntry::Notification { gap, item, redelivered, stored } => {
                    sequence += 1 + u128::from(*gap);
                    let item = item.build(Sequence::new(sequence));
                    if *redelivered && *stored {
                        let row = HeldItem { item: item.clone(), pushed_to: ConnectionSet::new() };
                        self.mailbox.insert(item.sequence, row);
                    }
                    Entry::Notification { item, redelivered: *redelivered }
                }
                AnyEntry::Replay(number) => {
                    let row = rows.get(usize::from(*number) % rows.len().max(1));
                    Entry::Replay(row.copied().unwrap_or(Sequence::new((*number).into())))
                }
            });
        }
        made
    }

    fn answer(&mut self, command: &Command<Body>, answer: &Answer) -> Event<Body> {
        self.now = self.now.plus(Duration::from_millis(answer.elapsed_ms.into()));
        match &answer.change {
            Some(Change::Connect(connection)) if self.connected < 8 => self.connect(connection),
            None | Some(Change::Connect(_)) => {}
            Some(Change::Disconnect(number)) => {
                self.connections.retain(|open| open.id != connection_id(usize::from(*number % 8)));
            }
            Some(Change::Acknowledge(number)) => self.acknowledge(usize::from(*number)),
        }
        match &answer.result {
            CommandResult::Done { pushes } => self.carry_out(command.clone(), pushes, usize::MAX),
            CommandResult::FailedAfter => {
                let _ = self.carry_out(command.clone(), &[], usize::MAX);
                Event::Failed
            }
            CommandResult::FailedInPart(rows) => {
                let _ = self.carry_out(command.clone(), &[], usize::from(*rows));
                Event::Failed
            }
            CommandResult::Unexpected(which) => unexpected_event(command, *which),
            CommandResult::OutOfTime
                if matches!(command, Command::Wait { .. } | Command::ReadPage { after: Some(_), .. }) =>
            {
                Event::OutOfTime
            }
            CommandResult::FailedBefore | CommandResult::OutOfTime => Event::Failed,
        }
    }

    /// A client acknowledges a row that it received.
    fn acknowledge(&mut self, number: usize) {
        let received: Vec<_> = self.accepted.values().flatten().copied().collect();
        if let Some(&sequence) = received.get(number % received.len().max(1)) {
            self.mailbox.remove(&sequence);
            self.acknowledged.insert(sequence);
        }
    }

    /// Carries a command out without a fault.
    fn succeed(&mut self, command: Command<Body>) -> Event<Body> {
        self.now = self.now.plus(Duration::from_secs(10));
        self.carry_out(command, &[], usize::MAX)
    }

    /// Carries a command out, and of a write at most the first `most` rows.
    fn carry_out(&mut self, command: Command<Body>, pushes: &[(u8, bool)], most: usize) -> Event<Body> {
        match command {
            Command::ListConnections => return Event::Listed(self.connections.clone()),
            Command::ReadPage { after, up_to, due_for, limit } => {
                assert!(limit >= 1 && !due_for.is_empty(), "a page must be able to have rows");
                let due = |row: &&HeldItem<Body>| {
                    let wanted =
                        row.item.sequence <= up_to && after.is_none_or(|after| row.item.sequence > after);
                    wanted && due_for.iter().any(|id| !row.pushed_to.contains(id))
                };
                let mut rows: Vec<_> = self.mailbox.values().filter(due).take(limit + 1).cloned().collect();
                let more = rows.len() > limit;
                rows.truncate(limit);
                return Event::Page { rows, more };
            }
            Command::Put(rows) => {
                assert!(!rows.is_empty());
                self.mailbox.extend(rows.into_iter().take(most).map(|row| (row.item.sequence, row)));
            }
            Command::Delete(sequences) => {
                assert!(!sequences.is_empty());
                sequences.iter().take(most).for_each(|sequence| drop(self.mailbox.remove(sequence)));
            }
            Command::Mark(marks) => {
                for (sequence, pushed_to) in marks.into_iter().take(most) {
                    if let Some(row) = self.mailbox.get_mut(&sequence) {
                        row.pushed_to.extend(pushed_to);
                    }
                }
            }
            Command::Forget(gone) => self.connections.retain(|open| !gone.contains(open)),
            Command::Push(orders) => {
                let mut scripted = pushes.iter();
                return Event::Pushed(orders.iter().map(|order| self.push(order, scripted.next())).collect());
            }
            Command::Wait { .. } => return Event::Waited,
            Command::EnqueueReplay(sequence) => self.replays.push(sequence),
            Command::ScheduleReplay => self.replays.push(Sequence::MAX),
            Command::Finish(_) => unreachable!("the run is over"),
        }
        Event::Done
    }

    fn push(&mut self, order: &PushRequest<Body>, script: Option<&(u8, bool)>) -> PushReport {
        self.check_order(order);
        let Some(open) = self.connections.iter().find(|open| open.id == order.connection) else {
            return PushReport { accepted: 0, refusal: Some(Refusal::Gone) };
        };
        let all = order.frames.len();
        let (accepted, refusal) = match script {
            Some(&(frames, gone)) if usize::from(frames) < all => {
                let young = self.now < open.connected_at.plus(Duration::from_secs(5));
                (usize::from(frames), Some(if gone && young { Refusal::Gone } else { Refusal::Unavailable }))
            }
            _ => (all, None),
        };
        let acknowledges = open.acknowledges;
        for item in order.frames[..accepted].iter().flat_map(|frame| &frame.items) {
            let sequence = item.item.sequence;
            self.accepted.entry(order.connection.clone()).or_default().push(sequence);
            if !acknowledges {
                self.delivered.insert(sequence);
            }
        }
        PushReport { accepted, refusal }
    }

    /// A connection gets every row once, in order, in frames of its format.
    fn check_order(&self, order: &PushRequest<Body>) {
        assert!(!order.frames.is_empty());
        let mut last = self.accepted.get(&order.connection).and_then(|rows| rows.last().copied());
        for frame in &order.frames {
            let bytes: usize = frame.items.iter().map(|item| item.item.len).sum();
            match frame.items.len() {
                0 => panic!("an empty frame"),
                1 => {}
                _ => {
                    assert!(order.format == FrameFormat::Batch && bytes <= self.batch_bytes, "{bytes} bytes");
                }
            }
            for item in &frame.items {
                let sequence = item.item.sequence;
                assert!(last.is_none_or(|last| last < sequence), "{sequence} after {last:?}");
                last = Some(sequence);
            }
        }
    }

    /// Completed entries come before those to be retried, and none of them is lost.
    fn check_report(&self, entries: &[Entry<Body>], report: &Report) {
        assert_eq!(report.outcomes.len(), entries.len());
        let done = report.outcomes.iter().take_while(|outcome| **outcome == Outcome::Done).count();
        assert!(report.outcomes[done..].iter().all(|outcome| *outcome == Outcome::Retry), "{report:?}");
        for entry in &entries[..done] {
            let Entry::Notification { item, .. } = entry else { continue };
            let is_expendable =
                item.when_offline == WhenOffline::Drop || item.expires_at.is_some_and(|at| at <= self.now);
            let is_safe = self.mailbox.contains_key(&item.sequence)
                || self.delivered.contains(&item.sequence)
                || self.acknowledged.contains(&item.sequence);
            assert!(is_expendable || is_safe, "{item:?} is lost: {report:?}");
        }
        if report.stats.deferred > 0 && done == entries.len() {
            assert!(!self.replays.is_empty(), "deferred notifications have no replay");
        }
    }
}

impl AnyItem {
    fn build(&self, sequence: Sequence) -> Item<Body> {
        Item {
            sequence,
            expires_at: self.expires_at.map(|at| Timestamp::from_millis(at.into())),
            when_offline: if self.drop { WhenOffline::Drop } else { WhenOffline::Hold },
            len: self.len.into(),
            body: (),
        }
    }
}

fn connection_id(number: usize) -> ConnectionId {
    ConnectionId::new(format!("c{number}"))
}

fn unexpected_event(command: &Command<Body>, which: u8) -> Event<Body> {
    let events = [
        Event::Listed(Vec::new()),
        Event::Page { rows: Vec::new(), more: false },
        Event::Done,
        Event::Pushed(Vec::new()),
        Event::Waited,
    ];
    let place = usize::from(which) % events.len();
    let answers = match command {
        Command::ListConnections => 0,
        Command::ReadPage { .. } => 1,
        Command::Push(_) => 3,
        Command::Wait { .. } => 4,
        _ => 2,
    };
    let place = if place == answers { (place + 1) % events.len() } else { place };
    events.into_iter().nth(place).unwrap_or(Event::Failed)
}
