//! Explanations of sweeps that grow, each confirmed by profiles, counts or the source.

use crate::sweep::Sweep;

const USERS: &str = "The total stays the same, so each of 10⁵ users has three notifications waiting and each of 10² has \
                     3,000. The fixed cost of a user's replay shows in the first points of the next sweep. Online, a \
                     request of the load has 100 notifications. With 10² users these are four for each of 25 users, \
                     and the four share one run and one frame. With more users they are one for each of 100.";

const STORED: &str = "Memory rises until the block cache (64 MiB), the memtables (64 MiB each) and the cached part of \
                      the queue (64 MiB) are full. A start reads the journals, which are 128 MiB at most: until they \
                      are full, everything stored is in them. None of the four grows with what is stored beyond them.";

/// Returns the explanation of a sweep in Markdown, if there is one.
pub(super) const fn finding(sweep: Sweep) -> Option<&'static str> {
    match sweep {
        Sweep::Users => Some(USERS),
        Sweep::Stored => Some(STORED),
        Sweep::Backlog | Sweep::Payload | Sweep::Devices | Sweep::Hub => None,
    }
}
