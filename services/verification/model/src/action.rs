//! The model's actions: the atomic steps of producers, devices, the gateway, time and the services.

use serde::{Deserialize, Serialize};

/// One atomic step of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A producer's next notification is accepted.
    Accept,
    /// The next device connects: the edge admits it and writes its row, and `$connect` has yet to return.
    Connect,
    /// `$connect` returns: this connection is open.
    Open(u8),
    /// This connection ends, or its handshake fails.
    Close(u8),
    /// The client of this connection is gone and the gateway has not noticed.
    HalfOpen(u8),
    /// `$disconnect`: the edge deletes the row of this connection, which has ended.
    Disconnect(u8),
    /// The grace of this connection ends.
    EndGrace(u8),
    /// The edge takes an ack: first the connection, then the notification.
    Acknowledge(u8, u8),
    /// A dispatcher receives this number of entries.
    Receive(u8),
    /// A dispatcher receives this number of entries, which have failed before, and sets them aside.
    SetAside(u8),
    /// The replay that a dispatcher scheduled is queued.
    Sweep,
    /// The dispatcher's command is carried out, or one row of it if it writes several.
    Dispatch(Outcome),
    /// One frame of the push order with this index is pushed.
    Push(u8, Outcome),
    /// The dispatcher crashes.
    DispatcherCrash,
    /// The replayer receives the stream record of this connection.
    Record(u8),
    /// The replayer's command is carried out.
    Replay(Outcome),
    /// The replayer crashes.
    ReplayerCrash,
}

/// The outcome of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The step succeeds.
    Done,
    /// The step fails without effect.
    FailedBefore,
    /// The step has its effect and is reported failed.
    FailedAfter,
    /// The first of several rows or entries is done, the others are reported failed.
    Part,
    /// The time of the run is up.
    OutOfTime,
}

impl Action {
    /// True for an action that happens by itself and without a fault.
    pub const fn is_spontaneous(self) -> bool {
        match self {
            Self::Open(_)
            | Self::EndGrace(_)
            | Self::Acknowledge(..)
            | Self::Receive(_)
            | Self::Sweep
            | Self::Record(_) => true,
            Self::Dispatch(outcome) | Self::Push(_, outcome) | Self::Replay(outcome) => {
                matches!(outcome, Outcome::Done)
            }
            Self::Accept
            | Self::Connect
            | Self::Close(_)
            | Self::HalfOpen(_)
            | Self::Disconnect(_)
            | Self::SetAside(_)
            | Self::DispatcherCrash
            | Self::ReplayerCrash => false,
        }
    }
}
