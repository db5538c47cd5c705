//! The log of a simulation, from which the promises are checked.

use std::fmt;

use contract_frames_v1::PresenceEvent;
use contract_history_v1::HistoryOutcome;

/// An event of a simulation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Event {
    /// Virtual milliseconds since the start.
    pub at: u64,
    /// The user that it concerns, or `None` for a whole batch.
    pub user: Option<usize>,
    /// The kind of event.
    pub kind: EventKind,
}

/// A kind of event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The queue accepted a notification.
    Accepted {
        /// Its number.
        number: u32,
        /// Its sequence.
        sequence: u64,
    },
    /// A queue accepted a notification whose user belongs to another queue.
    Misplaced {
        /// Its number.
        number: u32,
    },
    /// The user's queue accepted a notification that another queue had accepted before.
    Forwarded {
        /// Its number.
        number: u32,
        /// Its sequence.
        sequence: u64,
    },
    /// A notification that expires, or is dropped for users without a connection, was made.
    Terms {
        /// Its number.
        number: u32,
        /// Virtual milliseconds at which it expires.
        expires_at: Option<u64>,
        /// True if it is dropped for a user without a connection.
        drops: bool,
    },
    /// A notification was put into the mailbox.
    Stored {
        /// Its number.
        number: u32,
        /// Virtual milliseconds at which the row expires.
        expires_at: Option<u64>,
    },
    /// The table deleted a row that had expired.
    Reaped {
        /// The notification's number.
        number: u32,
    },
    /// The history has the end of a notification that was not delivered.
    Discarded {
        /// Its number.
        number: u32,
        /// The end.
        outcome: HistoryOutcome,
    },
    /// The gateway told a client that its message to the hub is accepted.
    Sent {
        /// Its number.
        number: u32,
    },
    /// The queue accepted a message to the hub, or a notice about the user.
    Broadcast {
        /// Its number.
        number: u32,
        /// Its sequence.
        sequence: u64,
        /// The user's presence, if it is a notice.
        presence: Option<PresenceEvent>,
    },
    /// The edge handled the end of a connection.
    Left {
        /// The connection.
        connection: u32,
    },
    /// A connection is a member of the hub at the end.
    Member {
        /// The connection.
        connection: u32,
    },
    /// A client began a handshake.
    Connecting {
        /// The connection.
        connection: u32,
    },
    /// A handshake ended: the gateway takes pushes.
    Opened {
        /// The connection.
        connection: u32,
        /// True if its client acknowledges.
        acknowledges: bool,
    },
    /// A connection ended for its client.
    Closed {
        /// The connection.
        connection: u32,
    },
    /// The gateway took a frame.
    Pushed {
        /// The connection.
        connection: u32,
        /// The dispatcher's invocation.
        invocation: u64,
        /// Numbers of the notifications in it.
        numbers: Vec<u32>,
    },
    /// A client read a frame.
    Arrived {
        /// The connection.
        connection: u32,
        /// Numbers of the notifications in it.
        numbers: Vec<u32>,
    },
    /// Something went wrong for the user.
    Fault(&'static str),
    /// The queue delivered an entry of the user again.
    Redelivered {
        /// Number of deliveries, including this one.
        receives: u32,
    },
    /// A function began to work on a batch.
    BatchBegan {
        /// The invocation.
        invocation: u64,
        /// The users of its entries.
        users: Vec<usize>,
    },
    /// A function answered its batch, or did not.
    BatchEnded {
        /// The invocation.
        invocation: u64,
        /// Reason why there is no answer.
        error: Option<&'static str>,
    },
    /// The replayer handled an insertion.
    Replayed {
        /// Number of reads of keys.
        reads: usize,
        /// Number of entries sent.
        entries: usize,
    },
    /// A row is still in the mailbox at the end.
    Held {
        /// Its sequence.
        sequence: u64,
    },
    /// Entries of the user are still in the queue at the end.
    Queued {
        /// Their number.
        entries: usize,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6}.{:03} s ", self.at / 1_000, self.at % 1_000)?;
        match self.user {
            Some(user) => write!(f, "u{user} {:?}", self.kind),
            None => write!(f, "-- {:?}", self.kind),
        }
    }
}
