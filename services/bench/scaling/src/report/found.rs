//! What was found out about a curve by profiles, counts and the source, and nothing that was not.

use crate::curves::Curve;

const USERS: &str = "As the total stays, who is one of 10⁵ has three waiting and who is one of 10² has 3,000. What the \
                     replay of a user costs whatever waits is in the first points of the next curve. Online, a \
                     request of the load has 100 notifications: four for each of 25 users where there are 10² in all, \
                     which are one run and one frame, and one for each of 100 users where there are more.";

const STORED: &str = "Memory rises until the block cache (64 MiB), the memtables (64 MiB each) and what is kept of the \
                      queue (64 MiB) are full. A start reads the journals, of which there are 128 MiB at most: until \
                      they are full all that is stored is in them. None of the four grows with what is stored beyond \
                      them.";

/// It in Markdown; nothing where nothing was found out.
pub(crate) const fn about(curve: Curve) -> Option<&'static str> {
    match curve {
        Curve::Users => Some(USERS),
        Curve::Stored => Some(STORED),
        Curve::Backlog | Curve::Payload | Curve::Devices | Curve::Hub => None,
    }
}
