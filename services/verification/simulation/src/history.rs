//! The history of one user, read from the trace: timelines of notifications and connections, and the faults
//! that may explain repeats.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::ProcessEnd;
use crate::simulation::server_time;
use crate::trace::{Event, EventKind};

/// Name of the fault that a run is dropped.
pub(crate) const DROPPED_RUN: &str = "a run";

/// Port operations of the dispatcher. If one has a fault, its run fails and is repeated.
const RUN_PORTS: [&str; 8] = [
    "list connections",
    "read a page",
    "put rows",
    "delete rows",
    "mark rows",
    "enqueue a replay",
    "push",
    DROPPED_RUN,
];

/// Milliseconds within which a write is reported after its commit.
const REPORT_DELAY: u64 = 100;

/// An event that may explain a repeated delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RepeatCause {
    /// A fault of a port that the user's runs use.
    Fault,
    /// A push to this connection was not reported done, as when the connection closes. If the run has no time
    /// to wait for the end of the connection's grace, frames that the socket took may be pushed again.
    Unfinished(u32),
    /// The server's clock jumped.
    ClockJumped,
    /// The process crashed, or was stopped during a push.
    Crashed,
}

/// A notification sent to a socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SentItem {
    pub(crate) at: u64,
    pub(crate) number: u32,
    pub(crate) connection: u32,
    /// Time at which connections were listed last before it. A fault since then may have repeated the run.
    pub(crate) listed: u64,
}

/// The timeline of a notification. Times are virtual, unless stated otherwise.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    /// Time at which it was first stored.
    pub(crate) stored_at: Option<u64>,
    /// The first sequence that it was stored or sent with.
    pub(crate) sequence: Option<u64>,
    /// A second sequence, which must not exist, and the time at which it was seen.
    pub(crate) second_sequence: Option<(u64, u64)>,
    /// True if the producer was told that it is accepted.
    pub(crate) accepted: bool,
    /// Time of its expiry by the server's clock.
    pub(crate) expires_at: Option<u64>,
    /// Times at which it was sent, and the connections.
    pub(crate) sent: Vec<(u64, u32)>,
    /// Time at which a client first read it.
    pub(crate) read_at: Option<u64>,
    /// Time at which it was first sent by a run that began after its expiry.
    pub(crate) sent_late_at: Option<u64>,
}

/// The timeline of a connection.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct ConnectionTimeline {
    pub(crate) acknowledges: bool,
    /// Time at which the handshake began.
    pub(crate) began: u64,
    pub(crate) opened: Option<u64>,
    pub(crate) closed: Option<u64>,
}

/// The history of one user.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) notifications: BTreeMap<u32, Timeline>,
    pub(crate) connections: BTreeMap<u32, ConnectionTimeline>,
    pub(crate) causes: Vec<(u64, RepeatCause)>,
    /// Sequences of damaged rows.
    pub(crate) damaged: BTreeSet<u64>,
    /// Sequences of dead letters.
    pub(crate) dead_letters: BTreeSet<u64>,
    /// Time of the report of held rows at the end, and the highest sequence held.
    pub(crate) held: Option<(u64, u64)>,
    /// Time at which a pong first confirmed each sequence.
    pub(crate) confirmed: BTreeMap<u64, u64>,
    /// Time of the first wrong frame.
    pub(crate) wrong_frame: Option<u64>,
    /// Notifications sent to sockets, in order.
    pub(crate) sent: Vec<SentItem>,
    /// Times at which runs were dropped.
    dropped_runs: Vec<u64>,
    /// Times at which processes ended.
    ends: Vec<u64>,
    /// Periods in which the committer waited for a slow disk.
    slow: Vec<(u64, u64)>,
    /// Times at which rows were put into the mailbox.
    puts: Vec<u64>,
    /// Time at which connections were listed last. A run checks expiry after that.
    listed: u64,
    pushing: BTreeSet<u32>,
    stopped: bool,
}

impl History {
    /// Reads the history of a user from a trace.
    pub(crate) fn read(events: &[Event], user: usize) -> Self {
        let mut history = Self::default();
        for event in events {
            if event.user.is_none_or(|other| other == user) {
                history.add(event.at, &event.kind);
            }
        }
        history
    }

    /// Number of causes for repeats from `from` to `to`, counting crashes only if `crashes` is set. A
    /// connection that closes counts once for all of its pushes.
    pub(crate) fn count_causes(&self, from: u64, to: u64, crashes: bool) -> usize {
        let mut unfinished = BTreeSet::new();
        let counts = |(at, cause): &&(u64, RepeatCause)| {
            (from..=to).contains(at)
                && match cause {
                    RepeatCause::Crashed => crashes,
                    RepeatCause::Unfinished(connection) => unfinished.insert(*connection),
                    RepeatCause::Fault | RepeatCause::ClockJumped => true,
                }
        };
        self.causes.iter().filter(counts).count()
    }

    /// True if a push to the connection had ended unfinished by then. Frames that the socket takes after that
    /// don't count as delivered.
    pub(crate) fn was_abandoned(&self, connection: u32, by: u64) -> bool {
        self.causes.iter().any(|(at, cause)| *at <= by && *cause == RepeatCause::Unfinished(connection))
    }

    /// Number of the user's runs that were dropped from the beginning of the connection to `by`. What they had pushed may
    /// still wait for the socket.
    pub(crate) fn dropped_before(&self, connection: u32, by: u64) -> usize {
        let began = self.connections.get(&connection).map_or(0, |connection| connection.began);
        self.dropped_runs.iter().filter(|at| (began..by).contains(at)).count()
    }

    /// True if a process ended from `from` to `to`.
    pub(crate) fn was_down(&self, from: u64, to: u64) -> bool {
        self.ends.iter().any(|at| (from..=to).contains(at))
    }

    /// True if the user's run was waiting then for a slow disk to write rows.
    pub(crate) fn was_writing(&self, at: u64) -> bool {
        let put = |from: u64| self.puts.iter().any(|put| (from..=from + REPORT_DELAY).contains(put));
        self.slow.iter().any(|(from, to)| (*from..=*to).contains(&at) && put(*to))
    }

    fn notification(&mut self, number: u32) -> &mut Timeline {
        self.notifications.entry(number).or_default()
    }

    fn connection(&mut self, connection: u32) -> &mut ConnectionTimeline {
        self.connections.entry(connection).or_default()
    }

    fn add(&mut self, at: u64, kind: &EventKind) {
        match kind {
            EventKind::Started => {
                if std::mem::take(&mut self.stopped) && !self.pushing.is_empty() {
                    self.causes.push((at, RepeatCause::Crashed));
                }
                self.pushing.clear();
            }
            EventKind::Ended(end) => {
                if *end == ProcessEnd::Crash {
                    self.causes.push((at, RepeatCause::Crashed));
                    for connection in self.connections.values_mut() {
                        connection.closed = connection.closed.or(Some(at));
                    }
                }
                self.stopped = *end == ProcessEnd::Stop;
                self.ends.push(at);
            }
            EventKind::ClockJumped(_) => self.causes.push((at, RepeatCause::ClockJumped)),
            EventKind::Stored { number, sequence, expires_at, .. } => {
                let timeline = self.notification(*number);
                timeline.stored_at = timeline.stored_at.or(Some(at));
                timeline.expires_at = *expires_at;
                timeline.note_sequence(*sequence, at);
            }
            EventKind::Accepted { number, sequence } => {
                let timeline = self.notification(*number);
                timeline.accepted = true;
                timeline.stored_at = timeline.stored_at.or(Some(at));
                timeline.note_sequence(*sequence, at);
            }
            EventKind::Connecting { connection, acknowledges } => {
                let timeline = ConnectionTimeline {
                    acknowledges: *acknowledges,
                    began: at,
                    ..ConnectionTimeline::default()
                };
                self.connections.insert(*connection, timeline);
            }
            EventKind::Opened { connection } => self.connection(*connection).opened = Some(at),
            EventKind::Closed { connection } => {
                let connection = self.connection(*connection);
                connection.closed = connection.closed.or(Some(at));
            }
            EventKind::Client { connection, does: "is refused" | "finds its row gone" } => {
                self.connection(*connection).closed = Some(at);
            }
            EventKind::Called("list connections") => self.listed = at,
            EventKind::Called("put rows") => self.puts.push(at),
            EventKind::Committed { slow } if *slow > 0 => self.slow.push((at - slow, at)),
            EventKind::FrameSent { connection, items } => self.add_frame(at, *connection, items),
            EventKind::WrongFrame { .. } => self.wrong_frame = self.wrong_frame.or(Some(at)),
            EventKind::Read { numbers, .. } => {
                for number in numbers {
                    let timeline = self.notification(*number);
                    timeline.read_at = timeline.read_at.or(Some(at));
                }
            }
            EventKind::Pushing { connection, .. } => _ = self.pushing.insert(*connection),
            EventKind::Pushed { connection, frames, sent: _, reported } => {
                self.pushing.remove(connection);
                if reported < frames {
                    self.causes.push((at, RepeatCause::Unfinished(*connection)));
                }
            }
            EventKind::Fault { port, .. } if RUN_PORTS.contains(port) => {
                if *port == DROPPED_RUN {
                    self.dropped_runs.push(at);
                }
                self.causes.push((at, RepeatCause::Fault));
            }
            EventKind::Confirmed { sequences, .. } => {
                for sequence in sequences {
                    self.confirmed.entry(*sequence).or_insert(at);
                }
            }
            EventKind::RowDamaged { sequence } => _ = self.damaged.insert(*sequence),
            EventKind::Held { sequence, .. } => self.held = self.held.or(Some((at, *sequence))),
            EventKind::DeadLetter { sequence } => _ = self.dead_letters.insert(*sequence),
            EventKind::FaultsStopped
            | EventKind::Committed { .. }
            | EventKind::Submitted { .. }
            | EventKind::NotAccepted
            | EventKind::AckSent { .. }
            | EventKind::Client { .. }
            | EventKind::Called(_)
            | EventKind::Fault { .. } => {}
        }
    }

    fn add_frame(&mut self, at: u64, connection: u32, items: &[(u32, Option<u64>)]) {
        let abandoned = self.was_abandoned(connection, at);
        let begun = server_time(self.listed);
        for (number, sequence) in items {
            let (number, listed) = (*number, self.listed);
            self.sent.push(SentItem { at, number, connection, listed });
            let timeline = self.notification(number);
            timeline.sent.push((at, connection));
            if !abandoned && timeline.expires_at.is_some_and(|over| over < begun) {
                timeline.sent_late_at = timeline.sent_late_at.or(Some(at));
            }
            if let Some(sequence) = sequence {
                timeline.note_sequence(*sequence, at);
            }
        }
    }
}

impl Timeline {
    fn note_sequence(&mut self, sequence: u64, at: u64) {
        match self.sequence {
            Some(other) if other != sequence => {
                self.second_sequence = self.second_sequence.or(Some((at, sequence)));
            }
            _ => self.sequence = Some(sequence),
        }
    }
}
