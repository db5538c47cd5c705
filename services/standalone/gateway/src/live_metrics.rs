//! Live metrics: what the server does, second by second, for operators.
//!
//! A task ([`run`]) takes a [`Snapshot`] every second and keeps those of the last quarter of an hour in memory. While
//! the hub [`HUB`] has members, it also sends them each snapshot, as an ordinary notification through the server's
//! own queue. While the hub is empty, it sends and writes nothing.
//!
//! The counts are those of `/metrics`. A [`Recorder`] in front of the recorder of `/metrics` counts the few metrics
//! that are needed here a second time, in a [`Tally`]. To read them from `/metrics` would mean to render and parse
//! its text, which has only a few wide buckets for each histogram; a fan-out of recorders would allocate at each use
//! of a metric, and so for each notification. Depths, connections and dead letters are read from their owners.

mod latency;
mod recorder;
mod sampler;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract_notifications_v1::Timestamp;
use serde::Serialize;
use shared_sync::IgnorePoison as _;

pub use latency::Latency;
pub use recorder::{Counts, Recorder, Tally};
pub use sampler::{Sampler, run};

/// The hub whose members get the live metrics.
pub const HUB: &str = "tidings:operations";
/// The kind of the notifications with live metrics. Consoles of earlier versions know this name, so it stays.
pub const KIND: &str = "tidings.figures";
/// The source of the notifications with live metrics.
pub const SOURCE: &str = "tidings";
/// Interval of the snapshots.
pub const INTERVAL: Duration = Duration::from_secs(1);
/// Number of snapshots kept: those of fifteen minutes.
pub const KEPT: usize = 900;

/// The state of the server at one time, and its counts so far.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Time of the snapshot.
    pub at: Timestamp,
    /// Counts since the process began. Those of accepted and delivered notifications leave out the live metrics' own
    /// notifications.
    pub counts: Counts,
    /// Latency from sending to push of the notifications pushed in the last second, held ones left out; `None` if
    /// there were none.
    pub latency: Option<Latency>,
    /// Number of open WebSockets.
    pub connections: usize,
    /// Number of notifications in the queue, including those that are being delivered.
    pub queued: usize,
    /// Number of notifications held in all mailboxes; `None` while those of the last process are still being
    /// counted.
    pub mailbox: Option<u64>,
    /// Number of dead letters.
    pub dead_letters: usize,
    /// Resident memory; `None` on systems that don't report it.
    pub resident_bytes: Option<u64>,
    /// Processor time of the process so far, in milliseconds; `None` on systems that don't report it.
    pub cpu_ms: Option<u64>,
}

/// The snapshots of the last quarter of an hour. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct LiveMetrics(Arc<Mutex<VecDeque<Snapshot>>>);

impl LiveMetrics {
    fn add(&self, snapshot: Snapshot) {
        let mut kept = self.0.lock().ignore_poison();
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(snapshot);
    }

    /// Returns the snapshots taken after `after`, or all that are kept; oldest first.
    pub fn since(&self, after: Option<Timestamp>) -> Vec<Snapshot> {
        let kept = self.0.lock().ignore_poison();
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
    fn snapshots_of_a_quarter_of_an_hour_are_kept() {
        let live_metrics = LiveMetrics::default();
        for at in 0..1_000 {
            live_metrics.add(snapshot(at));
        }
        let all = live_metrics.since(None);
        assert_eq!((all.len(), all[0].at.millis(), all[899].at.millis()), (900, 100, 999));
        let new = live_metrics.since(Some(Timestamp::from_millis(997)));
        assert_eq!(new.iter().map(|snapshot| snapshot.at.millis()).collect::<Vec<_>>(), [998, 999]);
    }
}
