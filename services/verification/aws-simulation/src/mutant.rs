//! Mutants: defects of the simulated deployment, which show that the checks can fail. Some of them are what the
//! services did before they were corrected.

/// A defect of the simulated deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mutant {
    /// The replayer sends an entry for each held row.
    ReplaysEveryRow,
    /// The replayer sends no entry for what it has not read.
    ForgetsTheRest,
    /// Entries that fail again and again stay in the queue.
    NeverSetsAside,
    /// A scheduled replay is never queued.
    NeverSweeps,
    /// A batch waits for its slowest run.
    WaitsForSlowest,
    /// Entries are dispatched however long ago they were received.
    IgnoresVisibility,
    /// A handshake may take as long as the function, and its time is that of its beginning.
    HandshakeWithoutLimit,
    /// Calls to the queue after a run may take as long as they like.
    UnboundedPostponement,
    /// The mailbox reports rows as put that it did not put.
    LosesPut,
    /// The mailbox reports rows as deleted that it did not delete.
    LosesDelete,
    /// An ack is answered and changes nothing.
    LosesAck,
    /// A connection is listed only a second after its insertion.
    StaleList,
    /// The replayer reads the mailbox as it was a second ago.
    StaleKeys,
    /// A push is taken and lost.
    SwallowsPush,
    /// The stream has no records.
    NoStream,
    /// A replay entry is accepted and lost.
    LosesReplayEntry,
    /// The queue delivers several messages of a group at the same time.
    NoGroupLock,
    /// The event source deletes failed entries.
    DeletesFailures,
    /// The queue forgets deduplication IDs.
    ForgetsIds,
    /// The services send entries to another queue than that of their user.
    SendsToAnotherQueue,
    /// The dispatcher dispatches the entries of another queue's users, and forwards none.
    NeverForwards,
    /// Notifications are queued without their expiry.
    QueuesWithoutExpiry,
    /// The mailbox stores rows without their expiry.
    StoresWithoutExpiry,
    /// The table deletes rows before they expire.
    ReapsEarly,
    /// Notifications to drop are queued as notifications to hold.
    HoldsAll,
    /// Notifications to hold are queued as notifications to drop.
    DropsAll,
    /// Joining the hub is reported done and is not.
    LosesJoin,
    /// Leaving the hub is reported done and is not.
    LosesLeave,
    /// A message to the hub is accepted and lost.
    LosesBroadcast,
    /// A notice of presence is accepted and lost.
    LosesNotice,
    /// The rest of a broadcast is accepted and lost.
    LosesRest,
    /// One of the notifications of a broadcast's step is accepted and lost.
    LosesMember,
    /// A broadcast reads the members as they were a minute ago.
    StaleMembers,
    /// A broadcast's step leaves out the first member behind the cursor.
    SkipsMember,
    /// A broadcast reaches every connected user.
    ReachesStrangers,
    /// A broadcast reads one partition of the hub alone.
    ReadsOneShard,
    /// The edge sees no other connection of a user.
    ListsNoOther,
    /// The rows of the hub are in one partition. Only a story finds it.
    OnePartition,
}

impl Mutant {
    /// Every mutant that random plans find.
    pub const ALL: [Self; 37] = [
        Self::ReplaysEveryRow,
        Self::ForgetsTheRest,
        Self::NeverSetsAside,
        Self::NeverSweeps,
        Self::WaitsForSlowest,
        Self::IgnoresVisibility,
        Self::HandshakeWithoutLimit,
        Self::UnboundedPostponement,
        Self::LosesPut,
        Self::LosesDelete,
        Self::LosesAck,
        Self::StaleList,
        Self::StaleKeys,
        Self::SwallowsPush,
        Self::NoStream,
        Self::LosesReplayEntry,
        Self::NoGroupLock,
        Self::DeletesFailures,
        Self::ForgetsIds,
        Self::SendsToAnotherQueue,
        Self::NeverForwards,
        Self::QueuesWithoutExpiry,
        Self::StoresWithoutExpiry,
        Self::ReapsEarly,
        Self::HoldsAll,
        Self::DropsAll,
        Self::LosesJoin,
        Self::LosesLeave,
        Self::LosesBroadcast,
        Self::LosesNotice,
        Self::LosesRest,
        Self::LosesMember,
        Self::StaleMembers,
        Self::SkipsMember,
        Self::ReachesStrangers,
        Self::ReadsOneShard,
        Self::ListsNoOther,
    ];
}
