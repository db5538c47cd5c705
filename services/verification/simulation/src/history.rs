//! What the trace says about one user.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::End;
use crate::trace::{Event, What};
use crate::world::server_time;

/// The ports whose trouble makes a run fail, and so be repeated.
const RUN_PORTS: [&str; 7] =
    ["list connections", "read a page", "put rows", "delete rows", "mark rows", "enqueue a replay", "push"];

/// How soon after its commit a write is reported to have been made, in milliseconds.
const WRITTEN: u64 = 100;

/// What may explain that something is delivered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excuse {
    /// A port that a run of the user uses was in trouble.
    Fault,
    /// A push to this connection was not reported done, as one that closes does: the run may have had no
    /// time to wait for the end of its grace, and what the socket took may be pushed again.
    Unfinished(u32),
    /// The server's clock jumped.
    Jumped,
    /// The process crashed, or was stopped in the middle of a push.
    Crashed,
}

/// A socket took a notification.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Take {
    pub(crate) at: u64,
    pub(crate) number: u32,
    pub(crate) connection: u32,
    /// When its run had listed connections last: a fault since then may be why the run is repeated.
    pub(crate) listed: u64,
}

/// A notification's life.
#[derive(Debug, Default)]
pub(crate) struct Life {
    /// When it was stored first, by the world's time.
    pub(crate) stored_at: Option<u64>,
    /// The sequence it was stored or taken under.
    pub(crate) sequence: Option<u64>,
    /// Another one, which must not be.
    pub(crate) second_sequence: Option<(u64, u64)>,
    /// Whether it was answered as accepted.
    pub(crate) accepted: bool,
    /// By the server's clock.
    pub(crate) expires_at: Option<u64>,
    /// When which socket took it.
    pub(crate) takes: Vec<(u64, u32)>,
    /// When it was read first.
    pub(crate) read_at: Option<u64>,
    /// When a socket took it although it had expired when its run began.
    pub(crate) late_at: Option<u64>,
}

/// A connection's life.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Link {
    pub(crate) acknowledges: bool,
    pub(crate) began: u64,
    pub(crate) opened: Option<u64>,
    pub(crate) closed: Option<u64>,
}

/// What the trace says about one user.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) lives: BTreeMap<u32, Life>,
    pub(crate) links: BTreeMap<u32, Link>,
    pub(crate) excuses: Vec<(u64, Excuse)>,
    pub(crate) poisoned: BTreeSet<u64>,
    pub(crate) dead: BTreeSet<u64>,
    /// The highest row held at the end, and when that was found.
    pub(crate) held: Option<(u64, u64)>,
    pub(crate) garbled: Option<u64>,
    /// Takes in their order.
    pub(crate) taken: Vec<Take>,
    ends: Vec<u64>,
    /// From when to when the committer waited for a slow disk.
    slow: Vec<(u64, u64)>,
    /// When rows were put into the mailbox.
    puts: Vec<u64>,
    /// When connections were listed last: a run looks at expiry dates after that.
    listed: u64,
    pushing: BTreeSet<u32>,
    stopped: bool,
}

impl History {
    /// Reads what concerns a user from a trace.
    pub(crate) fn read(events: &[Event], user: usize) -> Self {
        let mut history = Self::default();
        for event in events {
            if event.user.is_none_or(|other| other == user) {
                history.add(event.at, &event.what);
            }
        }
        history
    }

    /// How many excuses there are after `from`, up to `to`, with the crashes or without them. A connection
    /// that closes is one, however often it was tried.
    pub(crate) fn excuses(&self, from: u64, to: u64, crashes: bool) -> usize {
        let mut unfinished = BTreeSet::new();
        let counts = |(at, excuse): &&(u64, Excuse)| {
            (from..=to).contains(at)
                && match excuse {
                    Excuse::Crashed => crashes,
                    Excuse::Unfinished(connection) => unfinished.insert(*connection),
                    Excuse::Fault | Excuse::Jumped => true,
                }
        };
        self.excuses.iter().filter(counts).count()
    }

    /// Whether a push to a connection had ended without being done by then: what its socket still takes
    /// after that does not count as delivered.
    pub(crate) fn was_given_up(&self, connection: u32, by: u64) -> bool {
        self.excuses.iter().any(|(at, excuse)| *at <= by && *excuse == Excuse::Unfinished(connection))
    }

    /// Whether no process was there, or none that listened, at some time after `from`, up to `to`.
    pub(crate) fn was_down(&self, from: u64, to: u64) -> bool {
        self.ends.iter().any(|at| (from..=to).contains(at))
    }

    /// Whether the user's run was waiting then for a slow disk, to have written what it holds.
    pub(crate) fn was_writing(&self, at: u64) -> bool {
        let put = |from: u64| self.puts.iter().any(|put| (from..=from + WRITTEN).contains(put));
        self.slow.iter().any(|(from, to)| (*from..=*to).contains(&at) && put(*to))
    }

    fn life(&mut self, number: u32) -> &mut Life {
        self.lives.entry(number).or_default()
    }

    fn add(&mut self, at: u64, what: &What) {
        match what {
            What::Started => {
                if std::mem::take(&mut self.stopped) && !self.pushing.is_empty() {
                    self.excuses.push((at, Excuse::Crashed));
                }
                self.pushing.clear();
            }
            What::Ended(end) => {
                if *end == End::Crash {
                    self.excuses.push((at, Excuse::Crashed));
                    for link in self.links.values_mut() {
                        link.closed = link.closed.or(Some(at));
                    }
                }
                self.stopped = *end == End::Stop;
                self.ends.push(at);
            }
            What::Jumped(_) => self.excuses.push((at, Excuse::Jumped)),
            What::Stored { number, sequence, expires_at, .. } => {
                let life = self.life(*number);
                life.stored_at = life.stored_at.or(Some(at));
                life.expires_at = *expires_at;
                life.is(*sequence, at);
            }
            What::Accepted { number, sequence } => {
                let life = self.life(*number);
                life.accepted = true;
                life.stored_at = life.stored_at.or(Some(at));
                life.is(*sequence, at);
            }
            What::Connecting { connection, acknowledges } => {
                let link = Link { acknowledges: *acknowledges, began: at, ..Link::default() };
                self.links.insert(*connection, link);
            }
            What::Opened { connection } => self.link(*connection).opened = Some(at),
            What::Closed { connection } => {
                let link = self.link(*connection);
                link.closed = link.closed.or(Some(at));
            }
            What::Client { connection, does: "is refused" | "finds its row gone" } => {
                self.link(*connection).closed = Some(at);
            }
            What::Called("list connections") => self.listed = at,
            What::Called("put rows") => self.puts.push(at),
            What::Committed { slow } if *slow > 0 => self.slow.push((at - slow, at)),
            What::Taken { connection, items } => {
                let given_up = self.was_given_up(*connection, at);
                let begun = server_time(self.listed);
                for (number, sequence) in items {
                    let (number, connection, listed) = (*number, *connection, self.listed);
                    self.taken.push(Take { at, number, connection, listed });
                    let life = self.life(number);
                    life.takes.push((at, connection));
                    if !given_up && life.expires_at.is_some_and(|over| over < begun) {
                        life.late_at = life.late_at.or(Some(at));
                    }
                    if let Some(sequence) = sequence {
                        life.is(*sequence, at);
                    }
                }
            }
            What::Garbled { .. } => self.garbled = self.garbled.or(Some(at)),
            What::Read { numbers, .. } => {
                for number in numbers {
                    let life = self.life(*number);
                    life.read_at = life.read_at.or(Some(at));
                }
            }
            What::Pushing { connection, .. } => _ = self.pushing.insert(*connection),
            What::Pushed { connection, frames, taken: _, reported } => {
                self.pushing.remove(connection);
                if reported < frames {
                    self.excuses.push((at, Excuse::Unfinished(*connection)));
                }
            }
            What::Fault { port, .. } if RUN_PORTS.contains(port) => self.excuses.push((at, Excuse::Fault)),
            What::Poisoned { sequence } => _ = self.poisoned.insert(*sequence),
            What::Held { sequence, .. } => self.held = self.held.or(Some((at, *sequence))),
            What::Dead { sequence } => _ = self.dead.insert(*sequence),
            What::Calm
            | What::Committed { .. }
            | What::Sent { .. }
            | What::NotAccepted
            | What::AckSent { .. }
            | What::Client { .. }
            | What::Called(_)
            | What::Fault { .. } => {}
        }
    }

    fn link(&mut self, connection: u32) -> &mut Link {
        self.links.entry(connection).or_default()
    }
}

impl Life {
    fn is(&mut self, sequence: u64, at: u64) {
        match self.sequence {
            Some(other) if other != sequence => {
                self.second_sequence = self.second_sequence.or(Some((at, sequence)));
            }
            _ => self.sequence = Some(sequence),
        }
    }
}
