//! What the server is doing, second by second, for operators.
//!
//! A task ([`run`]) takes a [`Snapshot`] every second and keeps those of the last quarter of an hour in
//! memory. Only while somebody is a member of the hub [`HUB`] each is also sent to the members, as an
//! ordinary notification through the server's own queue. When nobody is, nothing is sent and nothing is
//! written; what is left is a read of some numbers in memory once a second.
//!
//! The counts are those of the metrics. [`Recorder`] stands before the recorder of `/metrics` and counts the
//! few that are wanted a second time, in a [`Tally`]. The exposition would have to be rendered and parsed,
//! and has its histograms in a few wide buckets; a fan-out of recorders allocates at each use of a metric,
//! which the push latency would pay per notification. Depths, connections and dead letters are read where they
//! are kept.

mod latency;
mod recorder;
mod sampler;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract_notifications_v1::Timestamp;
use serde::Serialize;

pub use latency::Latency;
pub use recorder::{Counts, Recorder, Tally};
pub use sampler::{Sampler, run};

/// The hub whose members are sent the figures.
pub const HUB: &str = "tidings:operations";
/// What kind of notification the figures are.
pub const KIND: &str = "tidings.figures";
/// Where they come from.
pub const SOURCE: &str = "tidings";
/// How often they are taken.
pub const EVERY: Duration = Duration::from_secs(1);
/// How many are kept: those of fifteen minutes.
pub const KEPT: usize = 900;

/// What the server has done so far, and what there is now.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// When.
    pub at: Timestamp,
    /// What was done since the process began. The figures' own notifications are left out of those accepted
    /// and delivered.
    pub counts: Counts,
    /// How long notifications that were pushed in the last second took from their sending, if there were any:
    /// those that were not held, and the figures' own.
    pub latency: Option<Latency>,
    /// Open WebSockets.
    pub connections: usize,
    /// Notifications in the queue, also those that are being delivered.
    pub queued: usize,
    /// Notifications held in all mailboxes, those in the queue left out; `None` while those are still counted
    /// that there were at the start.
    pub mailbox: Option<u64>,
    /// Dead letters there are.
    pub dead_letters: usize,
    /// Resident memory, where the system tells.
    pub resident_bytes: Option<u64>,
    /// Processor time of the process so far, in milliseconds, where the system tells.
    pub cpu_ms: Option<u64>,
}

/// The snapshots of the last while. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Figures(Arc<Mutex<VecDeque<Snapshot>>>);

impl Figures {
    fn add(&self, snapshot: Snapshot) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(snapshot);
    }

    /// Those taken after `after`, or all that are kept; oldest first.
    pub fn since(&self, after: Option<Timestamp>) -> Vec<Snapshot> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().filter(|snapshot| after.is_none_or(|after| snapshot.at > after)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(at: u64) -> Snapshot {
        Snapshot {
            at: Timestamp::from_millis(at),
            counts: Counts::default(),
            latency: None,
            connections: 0,
            queued: 0,
            mailbox: Some(0),
            dead_letters: 0,
            resident_bytes: None,
            cpu_ms: None,
        }
    }

    #[test]
    fn the_last_quarter_of_an_hour_is_kept() {
        let figures = Figures::default();
        for at in 0..1_000 {
            figures.add(snapshot(at));
        }
        let all = figures.since(None);
        assert_eq!((all.len(), all[0].at.millis(), all[899].at.millis()), (900, 100, 999));
        let new = figures.since(Some(Timestamp::from_millis(997)));
        assert_eq!(new.iter().map(|snapshot| snapshot.at.millis()).collect::<Vec<_>>(), [998, 999]);
    }
}
