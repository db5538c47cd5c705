//! The trace: every event of a simulation, in order.
//!
//! The promises are checked on it, people read it, and it is equal in every detail whenever the seed is.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::plan::ProcessEnd;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Event {
    /// Virtual milliseconds since the start.
    pub at: u64,
    /// The user, if the event concerns one.
    pub user: Option<usize>,
    /// The kind of event.
    pub kind: EventKind,
}

/// A kind of event. `number` is a notification's, `connection` a connection's, both counted over all users.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The process started.
    Started,
    /// The process ended.
    Ended(ProcessEnd),
    /// The server's clock jumped by this number of milliseconds.
    ClockJumped(i64),
    /// No fault happens from here on, and every user has a good connection.
    FaultsStopped,
    /// The committer made a commit.
    Committed {
        /// Milliseconds that the disk took before it.
        slow: u64,
    },
    /// A producer sent notifications in one request.
    Submitted {
        /// The notifications.
        numbers: Vec<u32>,
        /// Number of earlier attempts.
        attempt: u32,
    },
    /// The store accepted a notification. The producer may not learn of it.
    Stored {
        /// The notification.
        number: u32,
        /// Its sequence.
        sequence: u64,
        /// True if it was accepted before.
        duplicate: bool,
        /// Time of its expiry by the server's clock.
        expires_at: Option<u64>,
    },
    /// The producer learned that a notification is accepted.
    Accepted {
        /// The notification.
        number: u32,
        /// The sequence in the answer.
        sequence: u64,
    },
    /// The producer got no acceptance.
    NotAccepted,
    /// A device began its handshake.
    Connecting {
        /// The connection.
        connection: u32,
        /// True if its client acknowledges.
        acknowledges: bool,
    },
    /// The socket is open.
    Opened {
        /// The connection.
        connection: u32,
    },
    /// The socket took a whole frame with these notifications from the server.
    FrameSent {
        /// The connection.
        connection: u32,
        /// The notifications, and their sequences unless the frame is raw.
        items: Vec<(u32, Option<u64>)>,
    },
    /// The socket took a frame that differs from what was submitted.
    WrongFrame {
        /// The connection.
        connection: u32,
    },
    /// The client read notifications.
    Read {
        /// The connection.
        connection: u32,
        /// The notifications.
        numbers: Vec<u32>,
    },
    /// The client sent an ack.
    AckSent {
        /// The connection.
        connection: u32,
        /// The sequences.
        sequences: Vec<u64>,
    },
    /// The client's pong showed that it has notifications.
    Confirmed {
        /// The connection.
        connection: u32,
        /// The sequences.
        sequences: Vec<u64>,
    },
    /// The client did something else about its connection.
    Client {
        /// The connection.
        connection: u32,
        /// The action, as a verb.
        does: &'static str,
    },
    /// The connection ended.
    Closed {
        /// The connection.
        connection: u32,
    },
    /// A push began.
    Pushing {
        /// The connection.
        connection: u32,
        /// Number of frames.
        frames: usize,
    },
    /// A push was reported.
    Pushed {
        /// The connection.
        connection: u32,
        /// Number of frames to be pushed.
        frames: usize,
        /// Number of frames that the socket took meanwhile.
        sent: usize,
        /// Number of frames reported as accepted.
        reported: usize,
    },
    /// A port was called and did its work.
    Called(&'static str),
    /// A call of a port had a fault.
    Fault {
        /// The port's operation.
        port: &'static str,
        /// The kind of fault.
        kind: FaultKind,
    },
    /// A row on disk was damaged while no process ran.
    RowDamaged {
        /// The row's sequence.
        sequence: u64,
    },
    /// A row is held at the end.
    Held {
        /// The highest sequence held.
        sequence: u64,
        /// True if it was found on disk, after a restart.
        on_disk: bool,
    },
    /// A dead letter exists at the end.
    DeadLetter {
        /// The sequence of its notification.
        sequence: u64,
    },
}

/// A kind of fault in a port call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// The call failed without effect.
    Before,
    /// The call had its effect and was reported failed, as by a timeout.
    After,
    /// The call had a part of its effect and failed.
    Partly,
    /// The call took long.
    Slow,
}

impl FaultKind {
    /// The fault as a predicate.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Before => "fails",
            Self::After => "succeeds but is reported failed",
            Self::Partly => "succeeds in part and fails",
            Self::Slow => "takes long",
        }
    }
}

/// The events of a simulation.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Trace(pub Vec<Event>);

impl Trace {
    /// A hash that is equal for traces that are equal in every detail.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        hasher.finish()
    }

    /// The events as lines of text: all, or those that concern a user.
    pub fn lines(&self, user: Option<usize>) -> impl Iterator<Item = String> + '_ {
        let concerns = move |event: &&Event| {
            let is_other = event.user.is_some() && user.is_some() && event.user != user;
            let is_noise = matches!(event.kind, EventKind::Committed { slow: 0 }) && user.is_some();
            !is_other && !is_noise
        };
        self.0.iter().filter(concerns).map(ToString::to_string)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>7}.{:03} s  ", self.at / 1_000, self.at % 1_000)?;
        match self.user {
            Some(user) => write!(f, "u{user}  ")?,
            None => write!(f, "--  ")?,
        }
        self.kind.fmt(f)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |numbers: &[u32]| numbers.iter().map(|number| format!("n{number}")).collect::<Vec<_>>().join(" ");
        match self {
            Self::Started => write!(f, "the process starts"),
            Self::Ended(ProcessEnd::Crash) => write!(f, "THE PROCESS CRASHES"),
            Self::Ended(ProcessEnd::Stop) => write!(f, "the process is stopped"),
            Self::ClockJumped(by) => write!(f, "the server's clock jumps by {by} ms"),
            Self::FaultsStopped => write!(f, "no more faults from here on"),
            Self::Committed { slow: 0 } => write!(f, "commit"),
            Self::Committed { slow } => write!(f, "commit, after {slow} ms of a slow disk"),
            Self::Submitted { numbers, attempt } => {
                write!(f, "producer sends {}, attempt {attempt}", list(numbers))
            }
            Self::Stored { number, sequence, duplicate, expires_at: _ } => {
                let again = if *duplicate { ", a duplicate" } else { "" };
                write!(f, "n{number} is stored as {sequence}{again}")
            }
            Self::Accepted { number, sequence } => {
                write!(f, "producer learns that n{number} is accepted as {sequence}")
            }
            Self::NotAccepted => write!(f, "producer learns of no acceptance"),
            Self::Connecting { connection, acknowledges } => {
                let how = if *acknowledges { "acknowledges" } else { "does not acknowledge" };
                write!(f, "c{connection} begins its handshake; it {how}")
            }
            Self::Opened { connection } => write!(f, "c{connection} is open"),
            Self::FrameSent { connection, items } => {
                let numbers: Vec<_> = items.iter().map(|(number, _)| *number).collect();
                write!(f, "c{connection}'s socket takes {}", list(&numbers))
            }
            Self::WrongFrame { connection } => write!(f, "c{connection}'s socket takes A WRONG FRAME"),
            Self::Read { connection, numbers } => write!(f, "c{connection} READS {}", list(numbers)),
            Self::AckSent { connection, sequences } => write!(f, "c{connection} acknowledges {sequences:?}"),
            Self::Confirmed { connection, sequences } => {
                write!(f, "c{connection}'s pong confirms {sequences:?}")
            }
            Self::Client { connection, does } => write!(f, "c{connection}'s client {does}"),
            Self::Closed { connection } => write!(f, "c{connection} is closed"),
            Self::Pushing { connection, frames } => write!(f, "pushing {frames} frames to c{connection}"),
            Self::Pushed { connection, frames, sent, reported } => {
                write!(f, "pushed to c{connection}: of {frames}, {reported} reported and {sent} sent")
            }
            Self::Called(port) => write!(f, "{port}"),
            Self::Fault { port, kind } => write!(f, "FAULT: {port} {}", kind.name()),
            Self::RowDamaged { sequence } => write!(f, "the row of {sequence} is damaged on disk"),
            Self::Held { sequence, on_disk } => {
                let place = if *on_disk { "on disk" } else { "in the mailbox" };
                write!(f, "up to {sequence} is still {place}")
            }
            Self::DeadLetter { sequence } => write!(f, "{sequence} is a dead letter"),
        }
    }
}
