//! Mutants: defects in the environment of the real code, which show that the checks can fail.

/// A defect of the simulated environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mutant {
    /// An accepted notification is answered but not stored.
    AcceptNotStored,
    /// A producer's retry is accepted as another notification.
    RetryAcceptedTwice,
    /// The mailbox reports rows as put that it did not put.
    LosesPut,
    /// The mailbox reports rows as deleted that it did not delete.
    LosesDelete,
    /// The mailbox reports rows as marked that it did not mark.
    LosesMark,
    /// An ack is answered and changes nothing.
    LosesAck,
    /// A pong that confirms notifications changes nothing.
    LosesReceipt,
    /// A notification counts as delivered when it is written, although pongs should tell.
    WrittenCounts,
    /// A page of the mailbox lacks its first row.
    SkipsRow,
    /// A page of the mailbox has no expiry dates.
    ForgetsExpiry,
    /// A connection is listed only some time after its insertion.
    StaleList,
    /// A push is reported done but not made.
    SwallowsPush,
    /// A push that was made is reported refused, and not recorded as a fault.
    DeniesPush,
    /// The replayer never starts.
    NoReplay,
    /// A replay entry is accepted and lost.
    LosesReplayEntry,
    /// Two runs of a user at the same time.
    TwoRuns,
    /// A failed run completes all of its entries.
    CompletesFailures,
    /// One run at a time for all users together.
    OneRunAtATime,
    /// A crash undoes writes that were on disk.
    CrashUndoesWrites,
    /// A run that is dropped completes its entries.
    DroppedRunCompletes,
    /// Durations are measured by the time of day.
    TimeOfDayMeasures,
}

impl Mutant {
    /// Every mutant.
    pub const ALL: [Self; 21] = [
        Self::AcceptNotStored,
        Self::RetryAcceptedTwice,
        Self::LosesPut,
        Self::LosesDelete,
        Self::LosesMark,
        Self::LosesAck,
        Self::LosesReceipt,
        Self::WrittenCounts,
        Self::SkipsRow,
        Self::ForgetsExpiry,
        Self::StaleList,
        Self::SwallowsPush,
        Self::DeniesPush,
        Self::NoReplay,
        Self::LosesReplayEntry,
        Self::TwoRuns,
        Self::CompletesFailures,
        Self::OneRunAtATime,
        Self::CrashUndoesWrites,
        Self::DroppedRunCompletes,
        Self::TimeOfDayMeasures,
    ];
}
