//! What happened in a world, in order: what the promises are checked on, what a story is told from, and
//! what must be the same whenever the seed is.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::plan::End;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Event {
    /// Virtual milliseconds since the beginning.
    pub at: u64,
    /// Whose, if it is one user's.
    pub user: Option<usize>,
    /// What.
    pub what: What,
}

/// What happened. `number` is a notification's, `connection` a connection's, both counted over all users.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum What {
    /// The process is there.
    Started,
    /// The process ended.
    Ended(End),
    /// The server's clock jumped, by milliseconds.
    Jumped(i64),
    /// Nothing goes wrong any more from here on, and every user has a good connection.
    Calm,
    /// The committer made a commit, the disk being slow for so long before it.
    Committed {
        /// Milliseconds.
        slow: u64,
    },
    /// A producer sent notifications in one request.
    Sent {
        /// Which.
        numbers: Vec<u32>,
        /// Which attempt, from 0.
        attempt: u32,
    },
    /// The store has accepted a notification, whether or not the producer learns of it.
    Stored {
        /// Which.
        number: u32,
        /// Its place in the order.
        sequence: u64,
        /// Whether it was accepted before.
        duplicate: bool,
        /// When it expires, by the server's clock.
        expires_at: Option<u64>,
    },
    /// The producer learned that a notification is accepted.
    Accepted {
        /// Which.
        number: u32,
        /// The sequence it was told.
        sequence: u64,
    },
    /// The producer learned nothing good.
    NotAccepted,
    /// A device begins its handshake.
    Connecting {
        /// Which connection.
        connection: u32,
        /// Whether its client acknowledges.
        acknowledges: bool,
    },
    /// Its socket is open.
    Opened {
        /// Which connection.
        connection: u32,
    },
    /// The socket took a whole frame with these notifications.
    Taken {
        /// By which connection.
        connection: u32,
        /// Which notifications, and the sequences the frame gives them, unless it is raw.
        items: Vec<(u32, Option<u64>)>,
    },
    /// The socket took a frame that is not what was sent.
    Garbled {
        /// By which connection.
        connection: u32,
    },
    /// The client has read notifications.
    Read {
        /// Over which connection.
        connection: u32,
        /// Which.
        numbers: Vec<u32>,
    },
    /// The client sent an ack.
    AckSent {
        /// Over which connection.
        connection: u32,
        /// The sequences.
        sequences: Vec<u64>,
    },
    /// The client does something else about its connection.
    Client {
        /// Which connection.
        connection: u32,
        /// What.
        does: &'static str,
    },
    /// A connection is over.
    Closed {
        /// Which.
        connection: u32,
    },
    /// A push begins.
    Pushing {
        /// To which connection.
        connection: u32,
        /// How many frames.
        frames: usize,
    },
    /// A push was reported.
    Pushed {
        /// To which connection.
        connection: u32,
        /// How many frames there were.
        frames: usize,
        /// How many frames its socket took meanwhile.
        taken: usize,
        /// How many are reported.
        reported: usize,
    },
    /// A port was called, and did what it is to do.
    Called(&'static str),
    /// A port was called, and something went wrong.
    Fault {
        /// Which port.
        port: &'static str,
        /// What went wrong.
        kind: FaultKind,
    },
    /// A row on disk was damaged while no process ran.
    Poisoned {
        /// Its sequence.
        sequence: u64,
    },
    /// At the end this is held.
    Held {
        /// The highest sequence.
        sequence: u64,
        /// Whether it was found on disk, after a restart.
        on_disk: bool,
    },
    /// At the end this is a dead letter.
    Dead {
        /// The sequence it had.
        sequence: u64,
    },
}

/// What went wrong with a call of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// It had no effect, and failed.
    Before,
    /// It had its effect, and was reported failed: a timeout.
    After,
    /// It had a part of its effect.
    Partly,
    /// It took long.
    Slow,
}

impl FaultKind {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Before => "fails",
            Self::After => "has its effect, and is reported failed",
            Self::Partly => "has a part of its effect, and fails",
            Self::Slow => "takes long",
        }
    }
}

/// The events of a world.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Trace(pub Vec<Event>);

impl Trace {
    /// A number that two traces have in common when they are the same in every detail.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        hasher.finish()
    }

    /// The lines that concern a user, or all.
    pub fn story(&self, user: Option<usize>) -> impl Iterator<Item = String> + '_ {
        let concerns = move |event: &&Event| {
            let other = event.user.is_some() && user.is_some() && event.user != user;
            let dull = matches!(event.what, What::Committed { slow: 0 }) && user.is_some();
            !other && !dull
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
        self.what.fmt(f)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |numbers: &[u32]| numbers.iter().map(|number| format!("n{number}")).collect::<Vec<_>>().join(" ");
        match self {
            Self::Started => write!(f, "the process starts"),
            Self::Ended(End::Crash) => write!(f, "THE PROCESS CRASHES"),
            Self::Ended(End::Stop) => write!(f, "the process is stopped"),
            Self::Jumped(by) => write!(f, "the server's clock jumps by {by} ms"),
            Self::Calm => write!(f, "from here on nothing goes wrong"),
            Self::Committed { slow: 0 } => write!(f, "commit"),
            Self::Committed { slow } => write!(f, "commit, the disk being slow for {slow} ms"),
            Self::Sent { numbers, attempt } => {
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
            Self::Taken { connection, items } => {
                let numbers: Vec<_> = items.iter().map(|(number, _)| *number).collect();
                write!(f, "c{connection}'s socket takes {}", list(&numbers))
            }
            Self::Garbled { connection } => write!(f, "c{connection}'s socket takes A WRONG FRAME"),
            Self::Read { connection, numbers } => write!(f, "c{connection} READS {}", list(numbers)),
            Self::AckSent { connection, sequences } => write!(f, "c{connection} acknowledges {sequences:?}"),
            Self::Client { connection, does } => write!(f, "c{connection}'s client {does}"),
            Self::Closed { connection } => write!(f, "c{connection} is closed"),
            Self::Pushing { connection, frames } => write!(f, "pushing {frames} frames to c{connection}"),
            Self::Pushed { connection, frames, taken, reported } => {
                write!(f, "pushed to c{connection}: of {frames}, {reported} reported and {taken} taken")
            }
            Self::Called(port) => write!(f, "{port}"),
            Self::Fault { port, kind } => write!(f, "FAULT: {port} {}", kind.name()),
            Self::Poisoned { sequence } => write!(f, "the row of {sequence} is damaged on disk"),
            Self::Held { sequence, on_disk } => {
                let place = if *on_disk { "on disk" } else { "in the mailbox" };
                write!(f, "up to {sequence} is still {place}")
            }
            Self::Dead { sequence } => write!(f, "{sequence} is a dead letter"),
        }
    }
}
