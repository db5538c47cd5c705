//! What can be broken in the world around the real code, to see that the checks find it.

/// A defect of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mutant {
    /// An accepted notification is answered and not stored.
    AcceptNotStored,
    /// A producer's retry is accepted anew.
    RetryAcceptedTwice,
    /// The mailbox says that it has put rows, and has not.
    LosesPut,
    /// The mailbox says that it has deleted rows, and has not.
    LosesDelete,
    /// The mailbox says that it has marked rows, and has not.
    LosesMark,
    /// An ack is answered and changes nothing.
    LosesAck,
    /// A page of the mailbox begins with its second row.
    SkipsRow,
    /// A page of the mailbox has no expiry dates.
    ForgetsExpiry,
    /// A connection is in the list only some time after it was inserted.
    StaleList,
    /// A push is reported done and was not made.
    SwallowsPush,
    /// A push that was made is reported refused, and nobody counts that as a fault.
    DeniesPush,
    /// The replayer is never woken.
    NoReplay,
    /// A replay entry is taken and forgotten.
    LosesReplayEntry,
    /// Two runs of one user at the same time.
    TwoRuns,
    /// A run that failed is settled as done.
    SettlesFailures,
    /// One run after the other, whoever's they are.
    OneRunAtATime,
    /// A crash takes back what was on disk.
    CrashTakesBack,
}

impl Mutant {
    /// Every defect.
    pub const ALL: [Self; 17] = [
        Self::AcceptNotStored,
        Self::RetryAcceptedTwice,
        Self::LosesPut,
        Self::LosesDelete,
        Self::LosesMark,
        Self::LosesAck,
        Self::SkipsRow,
        Self::ForgetsExpiry,
        Self::StaleList,
        Self::SwallowsPush,
        Self::DeniesPush,
        Self::NoReplay,
        Self::LosesReplayEntry,
        Self::TwoRuns,
        Self::SettlesFailures,
        Self::OneRunAtATime,
        Self::CrashTakesBack,
    ];
}
