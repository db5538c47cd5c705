//! The rules of delivery, each of which can be left out to show that it is needed.
//!
//! A rule is left out in the environment of the real machines, by changing their input or the effect of their
//! commands. The machines themselves have no switch for it.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A rule of delivery. R1 to R6 are the numbers that docs/explanation/delivery.md gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// R1: held notifications are pushed before new ones. Without it, a run of new notifications finds the
    /// mailbox empty until it has put one itself.
    DrainFirst,
    /// R1, its limit: a replay is queued when more is held than one run may push. Without it, none is queued.
    QueueReplayWhenDeferred,
    /// R2: a run that has stored notifications for want of a connection lists connections again. Without it,
    /// the second list is empty like the first.
    LookAgainAfterStoring,
    /// R3: a 410 within the grace means "not yet open". Without it, the grace is zero.
    HandshakeGrace,
    /// R4: a new notification is put into the mailbox before it is pushed to a client that acknowledges.
    /// Without it, that row is not written.
    WriteAhead,
    /// R4, its order. Without it, that row is written after the push.
    WriteBeforePush,
    /// R4: held rows are marked after they were pushed. Without it, they are marked when they are read.
    MarkAfterPush,
    /// R4: a mark changes only rows that still exist. Without it, it brings an acknowledged row back.
    MarkOnlyIfThere,
    /// R5: a row is due on every connection it was not pushed to. Without it, a row is due only if it was
    /// pushed to no connection.
    PerConnection,
    /// R6: a run lists connections again after its last write. Without it, that list shows no new connection.
    LookAgainBeforeFinishing,
    /// R6, a part that no promise needs: connections are listed again even if rows were only marked. Without
    /// it, that list shows no new connection.
    LookAgainAfterMarking,
    /// A stream record comes again if its replayer could not send every entry. Without it, the record is
    /// done.
    ReportFailedReplay,
    /// The last entry of a replay with more pages than entries stands for all rows that were not read. Without it,
    /// those rows get no entry.
    ReplayTheRest,
    /// The replay that a run set aside has scheduled is queued. Without it, none is.
    SweepScheduledReplays,
    /// The replayer reads the mailbox strongly consistently. Without it, it sees an empty mailbox.
    ReadConsistently,
    /// After a failure all later entries of the run are delivered again too. Without it, only the failed
    /// entry is.
    RetryTheRest,
    /// A failed run of one user does not repeat entries of another. Without it, entries received in the same
    /// batch as a failed run are delivered again.
    FailureStopsThatUserOnly,
    /// A failed entry keeps its place before the entries behind it. Without it, it moves to the end.
    FailureKeepsItsPlace,
    /// The queue allows one run of a user at a time. Without it, the entries of a crashed dispatcher are
    /// invisible for a while and later entries are handed out before them.
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
