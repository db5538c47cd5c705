//! The dispatcher's run, in a small world in which anything may fail at any time, before or after it had its
//! effect, and in which a command may be answered by an event that is none of its answers.

#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use arbitrary::Arbitrary;
use contract_connections_v1::{ConnectionId, FrameFormat};
use contract_notifications_v1::{Sequence, Timestamp, WhenOffline};
use dispatcher::core::run::{
    Command, Entry, Event, HeldItem, Item, Limits, OpenConnection, Outcome, PushReport, PushRequest, Refusal,
    Report, Run,
};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Story {
    inline_drain: u8,
    replay_drain: u8,
    page: u8,
    batch_bytes: u8,
    held: Vec<AnyHeld>,
    entries: Vec<AnyEntry>,
    connections: Vec<AnyConnection>,
    answers: Vec<Answer>,
}

#[derive(Debug, Arbitrary)]
struct AnyHeld {
    gap: u8,
    item: AnyItem,
    /// Bits: which connections it was pushed to.
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
        /// Whether the earlier delivery put it into the mailbox.
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

/// How a command is answered, and what happens before it is.
#[derive(Debug, Arbitrary)]
struct Answer {
    passed: u16,
    change: Option<Change>,
    how: How,
}

#[derive(Debug, Arbitrary)]
enum Change {
    Connect(AnyConnection),
    Disconnect(u8),
    Acknowledge(u8),
}

#[derive(Debug, Arbitrary)]
enum How {
    Carried {
        pushes: Vec<(u8, bool)>,
    },
    FailedBefore,
    FailedAfter,
    FailedInPart(u8),
    /// An event that doesn't answer the command.
    Strange(u8),
    OutOfTime,
}

/// More commands than any of these stories takes.
const MAX_COMMANDS: usize = 5_000;
const MOST: usize = 12;
/// The first sequence that is not of a row held from the start.
const FRESH: u128 = 10_000;

type Body = ();

#[derive(Default)]
struct World {
    now: Timestamp,
    connections: Vec<OpenConnection>,
    connected: usize,
    mailbox: BTreeMap<Sequence, HeldItem<Body>>,
    acknowledged: BTreeSet<Sequence>,
    /// What each connection took, in order.
    accepted: BTreeMap<ConnectionId, Vec<Sequence>>,
    /// Rows taken by a connection that doesn't acknowledge.
    delivered: BTreeSet<Sequence>,
    batch_bytes: usize,
    replays: Vec<Sequence>,
}

fuzz_target!(|story: Story| {
    let limits = Limits {
        inline_drain: usize::from(story.inline_drain % 5),
        replay_drain: usize::from(story.replay_drain % 8),
        page: usize::from(story.page % 5) + 1,
        grace: Duration::from_secs(5),
        batch_bytes: usize::from(story.batch_bytes) + 1,
        drop_hold: Duration::from_secs(30),
    };
    let mut world = World { batch_bytes: limits.batch_bytes, ..World::default() };
    for connection in story.connections.iter().take(4) {
        world.connect(connection);
    }
    world.hold(&story.held);
    let entries = world.entries(&story.entries);
    let (mut run, mut command) = Run::start(limits, entries.clone());
    let mut answers = story.answers.iter();
    let mut commands = 0;
    let report = loop {
        commands += 1;
        assert!(commands <= MAX_COMMANDS, "the run does not end");
        if let Command::Finish(report) = command {
            break report;
        }
        let event = match answers.next() {
            Some(answer) => world.answer(&command, answer),
            None => world.calm(command),
        };
        command = run.on(event, world.now);
    };
    world.check(&entries, &report);
    // What comes after the end does not begin anything.
    let Command::Finish(_) = run.on(Event::Done, world.now) else { panic!("the run goes on after its end") };
});

impl World {
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

    fn hold(&mut self, held: &[AnyHeld]) {
        let mut sequence = 0;
        for row in held.iter().take(MOST) {
            sequence += 1 + u128::from(row.gap);
            let pushed_to = (0..4).filter(|bit| row.pushed_to >> bit & 1 == 1).map(connection_id).collect();
            let item = row.item.build(Sequence::new(sequence));
            self.mailbox.insert(item.sequence, HeldItem { item, pushed_to });
        }
    }

    /// The run's entries: notifications ascend, as the queue gives them.
    fn entries(&mut self, entries: &[AnyEntry]) -> Vec<Entry<Body>> {
        let mut sequence = FRESH;
        let rows: Vec<_> = self.mailbox.keys().copied().collect();
        let mut made = Vec::new();
        for entry in entries.iter().take(MOST) {
            made.push(match entry {
                AnyEntry::Notification { gap, item, redelivered, stored } => {
                    sequence += 1 + u128::from(*gap);
                    let item = item.build(Sequence::new(sequence));
                    if *redelivered && *stored {
                        let row = HeldItem { item: item.clone(), pushed_to: BTreeSet::new() };
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
        self.now = self.now.plus(Duration::from_millis(answer.passed.into()));
        match &answer.change {
            None => {}
            Some(Change::Connect(connection)) if self.connected < 8 => self.connect(connection),
            Some(Change::Connect(_)) => {}
            Some(Change::Disconnect(number)) => {
                self.connections.retain(|open| open.id != connection_id(usize::from(*number % 8)));
            }
            Some(Change::Acknowledge(number)) => self.acknowledge(usize::from(*number)),
        }
        match &answer.how {
            How::Carried { pushes } => self.carry(command.clone(), pushes, usize::MAX),
            How::FailedBefore => Event::Failed,
            How::FailedAfter => {
                let _ = self.carry(command.clone(), &[], usize::MAX);
                Event::Failed
            }
            How::FailedInPart(rows) => {
                let _ = self.carry(command.clone(), &[], usize::from(*rows));
                Event::Failed
            }
            How::Strange(which) => strange(command, *which),
            How::OutOfTime if matches!(command, Command::Wait { .. }) => Event::OutOfTime,
            How::OutOfTime => Event::Failed,
        }
    }

    /// A client that acknowledges clears a row that it took.
    fn acknowledge(&mut self, number: usize) {
        let taken: Vec<_> = self.accepted.values().flatten().copied().collect();
        if let Some(&sequence) = taken.get(number % taken.len().max(1)) {
            self.mailbox.remove(&sequence);
            self.acknowledged.insert(sequence);
        }
    }

    /// Carries a command out, nothing in the way.
    fn calm(&mut self, command: Command<Body>) -> Event<Body> {
        self.now = self.now.plus(Duration::from_secs(10));
        self.carry(command, &[], usize::MAX)
    }

    /// Carries a command out, of a write at most so many rows.
    fn carry(&mut self, command: Command<Body>, pushes: &[(u8, bool)], most: usize) -> Event<Body> {
        match command {
            Command::ListConnections => return Event::Listed(self.connections.clone()),
            Command::ReadPage { after, up_to, due_for, limit } => {
                assert!(limit >= 1 && !due_for.is_empty(), "a page that can't have rows");
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

    /// A connection gets every row once, in order, in frames of the form it wants.
    fn check_order(&self, order: &PushRequest<Body>) {
        assert!(!order.frames.is_empty());
        let mut last = self.accepted.get(&order.connection).and_then(|taken| taken.last().copied());
        for frame in &order.frames {
            let bytes: usize = frame.items.iter().map(|item| item.item.len).sum();
            match frame.items.len() {
                0 => panic!("an empty frame"),
                1 => {}
                _ => {
                    assert!(order.format == FrameFormat::Batch && bytes <= self.batch_bytes, "{bytes} bytes")
                }
            }
            for item in &frame.items {
                let sequence = item.item.sequence;
                assert!(last.is_none_or(|last| last < sequence), "{sequence} after {last:?}");
                last = Some(sequence);
            }
        }
    }

    /// Entries are done and then not done; and what is done is not lost.
    fn check(&self, entries: &[Entry<Body>], report: &Report) {
        assert_eq!(report.outcomes.len(), entries.len());
        let done = report.outcomes.iter().take_while(|outcome| **outcome == Outcome::Done).count();
        assert!(report.outcomes[done..].iter().all(|outcome| *outcome == Outcome::Retry), "{report:?}");
        for entry in &entries[..done] {
            let Entry::Notification { item, .. } = entry else { continue };
            let let_go =
                item.when_offline == WhenOffline::Drop || item.expires_at.is_some_and(|at| at <= self.now);
            let safe = self.mailbox.contains_key(&item.sequence)
                || self.delivered.contains(&item.sequence)
                || self.acknowledged.contains(&item.sequence);
            assert!(let_go || safe, "{item:?} is lost: {report:?}");
        }
        if report.stats.deferred > 0 && done == entries.len() {
            assert!(!self.replays.is_empty(), "what was put behind held rows is not asked for again");
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

fn strange(command: &Command<Body>, which: u8) -> Event<Body> {
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
