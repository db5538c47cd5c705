//! The rules, each of which can be left out to see what it is good for.
//!
//! A rule is left out of the world around the real machines, by changing what they are told or what
//! becomes of what they order. The machines themselves have no switch for it.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A rule of delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// R1: what is held is pushed before what is new. Without it a run of new notifications is told,
    /// before it puts one, that the mailbox is empty.
    DrainFirst,
    /// R1, its limit: when more is held than is drained inline, a replay is queued. Without it none is.
    QueueReplayWhenDeferred,
    /// R2: after storing for want of a connection, connections are listed again. Without it that second
    /// list is empty, as the first was.
    LookAgainAfterStoring,
    /// R3: a 410 within the grace means "not yet open". Without it the grace is zero.
    HandshakeGrace,
    /// R4: a new notification is in the mailbox before it is pushed to a client that acknowledges.
    /// Without it that write is not made.
    WriteAhead,
    /// R4, its order: without it that write is made after the push.
    WriteBeforePush,
    /// R4: held rows are marked after they were pushed. Without it they are marked as they are read.
    MarkAfterPush,
    /// R4: only rows that are still there are marked. Without it a mark brings an acknowledged row back.
    MarkOnlyIfThere,
    /// R5: a row is due on every connection it was not pushed to. Without it, only if it was pushed to
    /// none.
    PerConnection,
    /// R6: connections are listed again after the last write. Without it nobody appears in that list.
    LookAgainBeforeFinishing,
    /// R6, the part of it that no promise needs: connections are listed again also if rows were only
    /// marked. Without it nobody appears in that list.
    LookAgainAfterMarking,
    /// A replayer that could not send every entry has its stream record delivered again. Without it the
    /// record is done.
    ReportFailedReplay,
    /// The replayer reads the mailbox strongly consistently. Without it, it sees the mailbox as it was
    /// before anything was put into it.
    ReadConsistently,
    /// After a failure the rest of the run is delivered again too. Without it only the entry that failed.
    RetryTheRest,
    /// Another user's failure is not this one's. Without it, what is received together with entries of
    /// another user whose run fails is delivered again.
    FailureStopsThatUserOnly,
    /// An entry that failed holds up those behind it. Without it, it goes behind them.
    FailureKeepsItsPlace,
    /// The queue gives away no second run of a user. Without it what a dispatcher that crashed had
    /// received is held back for a while, and those behind it are not.
    OneRunAtATime,
}

impl Rule {
    /// Every rule.
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// Every rule without which a promise is broken.
    pub fn needed() -> impl Iterator<Item = Self> {
        Self::all().iter().copied().filter(|rule| *rule != Self::LookAgainAfterMarking)
    }
}
