//! A small world of one user, with faults, in which real runs are driven.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use contract_connections_v1::{ConnectionId, FrameFormat};
use contract_notifications_v1::{Sequence, Timestamp, WhenOffline};

use crate::core::run::{
    Command, Entry, Event, HeldItem, Item, Limits, OpenConnection, Outcome, PushReport, PushRequest, Refusal,
    Report, Run, SetAside,
};
use crate::history::{DeliveryEvent, Observer};

const LIMITS: Limits = Limits {
    inline_drain: 3,
    replay_drain: 6,
    page: 2,
    grace: Duration::from_secs(5),
    batch_bytes: 25,
    drop_hold: Duration::from_secs(30),
};

/// Number of rows that one entry of a replay stands for.
const PAGE: usize = 2;
/// Number of entries of a replay that stand for a page.
const PAGES: usize = 2;

/// Random numbers that decide the next event. Zeros follow after the last.
pub(super) struct Choices(pub(super) VecDeque<u16>);

impl Choices {
    fn below(&mut self, bound: usize) -> usize {
        self.0.pop_front().map_or(0, usize::from) % bound.max(1)
    }

    fn one_in(&mut self, n: usize) -> bool {
        !self.0.is_empty() && self.below(n) == 1
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Socket {
    /// `$connect` has not returned, and pushes get a 410.
    Handshaking,
    Open,
    /// The gateway accepts pushes, but the client does not receive them.
    HalfOpen,
    Closed,
}

#[derive(Debug)]
pub(super) struct Client {
    connection: OpenConnection,
    socket: Socket,
    pub(super) received: Vec<Sequence>,
    unacknowledged: BTreeSet<Sequence>,
}

#[derive(Debug, Clone)]
enum Queued {
    Notification(Item<()>),
    Replay(Sequence),
}

/// A run in progress, the number of its entries, its next command, and its observer.
type Running = (Run<()>, usize, Command<()>, Observer<()>);

#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Timestamp,
    next: u128,
    queue: VecDeque<(Queued, u32)>,
    pub(super) mailbox: BTreeMap<Sequence, HeldItem<()>>,
    pub(super) clients: Vec<Client>,
    /// The Connections table: indexes into `clients`.
    rows: BTreeSet<usize>,
    /// Number of stream records not yet delivered.
    inserted: usize,
    /// True if a run has scheduled a replay.
    due: bool,
    run: Option<Running>,
    pub(super) must_arrive: BTreeSet<Sequence>,
    pub(super) may_be_dropped: BTreeSet<Sequence>,
    pub(super) may_expire: BTreeSet<Sequence>,
    /// Notifications that the gateway accepted, received by a client or not.
    pub(super) accepted: BTreeSet<Sequence>,
    pub(super) first_deliveries: Vec<Sequence>,
    pub(super) faults: usize,
    /// The history of each run.
    pub(super) history: Vec<Vec<DeliveryEvent<()>>>,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            now: Timestamp::from_millis(1_000_000),
            next: 1,
            queue: VecDeque::new(),
            mailbox: BTreeMap::new(),
            clients: Vec::new(),
            rows: BTreeSet::new(),
            inserted: 0,
            due: false,
            run: None,
            must_arrive: BTreeSet::new(),
            may_be_dropped: BTreeSet::new(),
            may_expire: BTreeSet::new(),
            accepted: BTreeSet::new(),
            first_deliveries: Vec::new(),
            faults: 0,
            history: Vec::new(),
        }
    }

    fn produce(&mut self, choices: &mut Choices) {
        let sequence = Sequence::new(self.next);
        self.next += 1;
        let expires_at = choices.one_in(8).then(|| self.now.plus(Duration::from_secs(3)));
        let when_offline = if choices.one_in(6) { WhenOffline::Drop } else { WhenOffline::Hold };
        if expires_at.is_none() && when_offline == WhenOffline::Hold {
            self.must_arrive.insert(sequence);
        }
        if when_offline == WhenOffline::Drop {
            self.may_be_dropped.insert(sequence);
        }
        if expires_at.is_some() {
            self.may_expire.insert(sequence);
        }
        let len = 5 + choices.below(20);
        let item = Item { sequence, expires_at, when_offline, len, body: () };
        self.queue.push_back((Queued::Notification(item), 0));
    }

    fn connect(&mut self, acknowledges: bool, socket: Socket, choices: &mut Choices) {
        let index = self.clients.len();
        let format = [FrameFormat::Single, FrameFormat::Batch][choices.below(2)];
        let id = ConnectionId::new(format!("connection-{index}"));
        let connection = OpenConnection { id, connected_at: self.now, acknowledges, format };
        let unacknowledged = BTreeSet::new();
        self.clients.push(Client { connection, socket, received: Vec::new(), unacknowledged });
        self.rows.insert(index);
        self.inserted += 1;
    }

    /// Advances the clock. A handshake takes less than the grace period.
    fn advance(&mut self, seconds: u64) {
        self.now = self.now.plus(Duration::from_secs(seconds));
        for client in &mut self.clients {
            if client.socket == Socket::Handshaking
                && self.now >= client.connection.connected_at.plus(LIMITS.grace)
            {
                client.socket = Socket::Open;
            }
        }
    }

    /// Acts as the replayer: queues an entry for each of the first pages of the mailbox, and one for the rest.
    fn replay(&mut self) {
        let keys: Vec<_> = self.mailbox.keys().copied().collect();
        let mut pages = keys.chunks(PAGE);
        let first = pages.by_ref().take(PAGES).filter_map(|page| page.last());
        self.queue.extend(first.map(|&last| (Queued::Replay(last), 0)));
        if pages.next().is_some() {
            self.replay_all();
        }
    }

    /// Queues an entry for everything held, which covers nothing that is accepted later.
    fn replay_all(&mut self) {
        self.queue.push_back((Queued::Replay(Sequence::new(self.next - 1)), 0));
    }

    pub(super) fn acknowledge(&mut self, client: usize) {
        for sequence in std::mem::take(&mut self.clients[client].unacknowledged) {
            self.mailbox.remove(&sequence);
        }
    }

    /// Returns every sequence produced so far.
    pub(super) fn produced(&self) -> BTreeSet<Sequence> {
        (1..self.next).map(Sequence::new).collect()
    }

    pub(super) fn act(&mut self, choices: &mut Choices) {
        match choices.below(16) {
            0..=2 => self.produce(choices),
            3 => {
                let acknowledges = choices.one_in(2);
                let socket = [Socket::Handshaking, Socket::Open][choices.below(2)];
                self.connect(acknowledges, socket, choices);
            }
            4 => {
                let index = choices.below(self.clients.len());
                let half_open = choices.one_in(2);
                if let Some(client) = self.clients.get_mut(index) {
                    client.socket = match client.socket {
                        Socket::Handshaking => Socket::Open,
                        // In push mode a notification sent to a half-open socket is lost without a trace.
                        Socket::Open if half_open && client.connection.acknowledges => Socket::HalfOpen,
                        _ => Socket::Closed,
                    };
                }
            }
            5 => {
                // `$disconnect` comes late or never.
                let closed = self.rows.iter().copied().find(|&i| self.clients[i].socket == Socket::Closed);
                closed.map(|index| self.rows.remove(&index));
            }
            6 if self.inserted > 0 => {
                // A stream record is delivered, and may be delivered again.
                self.inserted -= usize::from(!choices.one_in(4));
                self.replay();
            }
            7 => self.advance(2),
            8 if !self.clients.is_empty() => self.acknowledge(choices.below(self.clients.len())),
            9 if self.due && choices.one_in(2) => {
                self.due = false;
                self.replay_all();
            }
            9 if choices.one_in(4) => {
                // The dispatcher crashes: its memory is lost, and its entries are redelivered.
                self.faults += usize::from(self.run.take().is_some());
            }
            _ => self.dispatch(choices),
        }
    }

    fn dispatch(&mut self, choices: &mut Choices) {
        let Some((mut run, size, command, mut observer)) = self.run.take() else {
            let size = self.queue.len().min(1 + choices.below(4));
            if size > 0 {
                let received = self.queue.iter_mut().take(size).map(|(queued, receives)| {
                    *receives += 1;
                    match queued {
                        Queued::Replay(sequence) => Entry::Replay(*sequence),
                        Queued::Notification(item) => {
                            Entry::Notification { item: item.clone(), redelivered: *receives > 1 }
                        }
                    }
                });
                let entries: Vec<_> = received.collect();
                let observer = Observer::new(&entries);
                let (run, command) = Run::start(LIMITS, entries);
                let set_aside = if self.queue[0].1 > 2 && choices.one_in(2) {
                    // It may discard what is not to be held, or bring back what was acknowledged.
                    self.faults += 1;
                    SetAside::All
                } else {
                    [SetAside::Blocked, SetAside::Never][choices.below(2)]
                };
                let run = run.set_aside(set_aside);
                self.run = Some((run, size, command, observer));
            }
            return;
        };
        if let Command::Finish(report) = command {
            self.history.push(observer.finish(&report, self.now));
            let Report { outcomes, .. } = report;
            assert_eq!(outcomes.len(), size);
            let done = outcomes.iter().take_while(|outcome| **outcome == Outcome::Done).count();
            assert!(outcomes[done..].iter().all(|outcome| *outcome == Outcome::Retry));
            self.faults += usize::from(done < size);
            self.queue.drain(..done);
            return;
        }
        observer.on_command(&command);
        let event = if choices.one_in(25) {
            // A port fails, before or after it has taken effect.
            self.faults += 1;
            if choices.one_in(2) {
                self.perform(command, choices);
            }
            Event::Failed
        } else {
            self.perform(command, choices)
        };
        observer.on_event(&event, self.now);
        let command = run.on(event, self.now);
        self.run = Some((run, size, command, observer));
    }

    fn perform(&mut self, command: Command<()>, choices: &mut Choices) -> Event<()> {
        match command {
            Command::ListConnections => {
                Event::Listed(self.rows.iter().map(|&index| self.clients[index].connection.clone()).collect())
            }
            Command::ReadPage { after: Some(_), .. } if choices.one_in(12) => Event::OutOfTime,
            Command::ReadPage { after, up_to, due_for, limit } => {
                assert!(!due_for.is_empty() && limit > 0);
                let due = self.mailbox.values().filter(|row| {
                    row.item.sequence <= up_to
                        && after.is_none_or(|after| row.item.sequence > after)
                        && due_for.iter().any(|connection| !row.pushed_to.contains(connection))
                });
                let mut rows: Vec<_> = due.take(limit + 1).cloned().collect();
                let more = rows.len() > limit;
                rows.truncate(limit);
                Event::Page { rows, more }
            }
            Command::Put(rows) => {
                self.mailbox.extend(rows.into_iter().map(|row| (row.item.sequence, row)));
                Event::Done
            }
            Command::Delete(sequences) => {
                for sequence in sequences {
                    self.mailbox.remove(&sequence);
                }
                Event::Done
            }
            Command::Mark(marks) => {
                for (sequence, connections) in marks {
                    if let Some(row) = self.mailbox.get_mut(&sequence) {
                        row.pushed_to.extend(connections);
                    }
                }
                Event::Done
            }
            Command::Forget(gone) => {
                for connection in gone {
                    let of_client = |client: &Client| client.connection == connection;
                    let index = self.clients.iter().position(of_client).unwrap();
                    assert_eq!(
                        self.clients[index].socket,
                        Socket::Closed,
                        "R3: a connection that is not closed was forgotten"
                    );
                    self.rows.remove(&index);
                }
                Event::Done
            }
            Command::Push(requests) => {
                Event::Pushed(requests.into_iter().map(|request| self.push(&request, choices)).collect())
            }
            Command::Wait { .. } => {
                if choices.one_in(5) {
                    Event::OutOfTime
                } else {
                    self.advance(1);
                    Event::Waited
                }
            }
            Command::EnqueueReplay(sequence) => {
                self.queue.push_back((Queued::Replay(sequence), 0));
                Event::Done
            }
            Command::ScheduleReplay => {
                self.due = true;
                Event::Done
            }
            Command::Finish(_) => unreachable!("handled by the caller"),
        }
    }

    fn push(&mut self, request: &PushRequest<()>, choices: &mut Choices) -> PushReport {
        let client =
            self.clients.iter_mut().find(|client| client.connection.id == request.connection).unwrap();
        let mut accepted = 0;
        for frame in &request.frames {
            let bytes: usize = frame.items.iter().map(|item| item.item.len).sum();
            assert!(frame.items.len() == 1 || bytes <= LIMITS.batch_bytes);
            if choices.one_in(12) {
                self.faults += 1;
                return PushReport { accepted, refusal: Some(Refusal::Unavailable) };
            }
            match client.socket {
                Socket::Handshaking | Socket::Closed => {
                    return PushReport { accepted, refusal: Some(Refusal::Gone) };
                }
                Socket::HalfOpen => {}
                Socket::Open => {
                    for item in &frame.items {
                        let sequence = item.item.sequence;
                        client.received.push(sequence);
                        client.unacknowledged.insert(sequence);
                        if !self.first_deliveries.contains(&sequence) {
                            self.first_deliveries.push(sequence);
                        }
                    }
                }
            }
            accepted += 1;
            self.accepted.extend(frame.items.iter().map(|item| item.item.sequence));
        }
        PushReport { accepted, refusal: None }
    }

    /// Ends all faults and handshakes, makes sure that a client is connected, and lets everything finish.
    pub(super) fn quiesce(&mut self) {
        let mut calm = Choices(VecDeque::new());
        for client in &mut self.clients {
            client.socket = match client.socket {
                Socket::Handshaking | Socket::Open => Socket::Open,
                Socket::HalfOpen | Socket::Closed => Socket::Closed,
            };
        }
        self.advance(LIMITS.grace.as_secs());
        // A client that is already connected must get what is held without a new connection.
        if self.clients.iter().all(|client| client.socket == Socket::Closed) {
            self.connect(true, Socket::Open, &mut calm);
        }
        for round in 0.. {
            assert!(round < 10_000, "no end in sight: {self:#?}");
            if self.inserted > 0 {
                self.inserted = 0;
                self.replay();
            }
            if std::mem::take(&mut self.due) {
                self.replay_all();
            }
            if self.run.is_none() && self.queue.is_empty() {
                break;
            }
            self.dispatch(&mut calm);
        }
    }
}

impl World {
    /// Returns a short description of the final state.
    pub(super) fn summary(&self) -> String {
        let numbers = |s: &[Sequence]| s.iter().map(|s| s.number()).collect::<Vec<_>>();
        let clients = self.clients.iter().map(|c| {
            let OpenConnection { id, acknowledges, .. } = &c.connection;
            format!("\n  {id} acknowledges: {acknowledges} {:?} {:?}", c.socket, numbers(&c.received))
        });
        let rows = self.mailbox.values().map(|r| {
            format!(
                "\n  row {} {:?}",
                r.item.sequence.number(),
                r.pushed_to.iter().map(ConnectionId::as_str).collect::<Vec<_>>()
            )
        });
        format!(
            "{} faults, first deliveries {:?}{}{}",
            self.faults,
            numbers(&self.first_deliveries),
            clients.collect::<String>(),
            rows.collect::<String>()
        )
    }
}
