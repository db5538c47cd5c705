//! Statistics of many simulations.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::ProcessEnd;
use crate::run::Finished;
use crate::trace::{EventKind, FaultKind};

/// Counts of events in many simulations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Simulations.
    pub simulations: u64,
    /// Virtual milliseconds.
    pub millis: u64,
    /// Notifications accepted.
    pub accepted: u64,
    /// Notifications sent to sockets, repeats included.
    pub sent: u64,
    /// Notifications sent to a connection again.
    pub repeats: u64,
    /// Connections opened.
    pub connections: u64,
    /// Processes that crashed.
    pub crashes: u64,
    /// Processes that were stopped.
    pub stops: u64,
    /// Jumps of the clock.
    pub clock_jumps: u64,
    /// Commits on a slow disk.
    pub slow_commits: u64,
    /// Rows damaged on disk.
    pub rows_damaged: u64,
    /// Requests of producers, or their answers, that were lost.
    pub lost_requests: u64,
    /// Faults of ports.
    pub faults: BTreeMap<FaultKind, u64>,
    /// Events of traces.
    pub events: u64,
}

impl Statistics {
    /// Adds a simulation.
    pub fn add(&mut self, finished: &Finished) {
        let (mut accepted, mut sent) = (BTreeSet::new(), BTreeSet::new());
        self.simulations += 1;
        self.millis += finished.trace.0.last().map_or(0, |event| event.at);
        self.events += finished.trace.0.len() as u64;
        for event in &finished.trace.0 {
            match &event.kind {
                EventKind::Stored { number, .. } => self.accepted += u64::from(accepted.insert(*number)),
                EventKind::FrameSent { connection, items } => {
                    self.sent += items.len() as u64;
                    let repeats = items.iter().filter(|(number, _)| !sent.insert((*connection, *number)));
                    self.repeats += repeats.count() as u64;
                }
                EventKind::Opened { .. } => self.connections += 1,
                EventKind::Ended(ProcessEnd::Crash) => self.crashes += 1,
                EventKind::Ended(ProcessEnd::Stop) => self.stops += 1,
                EventKind::ClockJumped(_) => self.clock_jumps += 1,
                EventKind::Committed { slow } => self.slow_commits += u64::from(*slow > 0),
                EventKind::RowDamaged { .. } => self.rows_damaged += 1,
                EventKind::Called("request lost" | "answer lost") => self.lost_requests += 1,
                EventKind::Fault { kind, .. } => *self.faults.entry(*kind).or_default() += 1,
                _ => {}
            }
        }
    }

    /// Adds the counts of other simulations.
    pub fn merge(&mut self, other: &Self) {
        self.simulations += other.simulations;
        self.millis += other.millis;
        self.accepted += other.accepted;
        self.sent += other.sent;
        self.repeats += other.repeats;
        self.connections += other.connections;
        self.crashes += other.crashes;
        self.stops += other.stops;
        self.clock_jumps += other.clock_jumps;
        self.slow_commits += other.slow_commits;
        self.rows_damaged += other.rows_damaged;
        self.lost_requests += other.lost_requests;
        self.events += other.events;
        for (kind, count) in &other.faults {
            *self.faults.entry(*kind).or_default() += count;
        }
    }
}
