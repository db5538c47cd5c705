//! Figures of many worlds.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::End;
use crate::run::Finished;
use crate::trace::{FaultKind, What};

/// What happened in many worlds, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Worlds.
    pub worlds: u64,
    /// Virtual milliseconds.
    pub millis: u64,
    /// Notifications accepted.
    pub accepted: u64,
    /// Notifications taken by sockets, repeats included.
    pub taken: u64,
    /// Of those, repeats over one connection.
    pub repeats: u64,
    /// Connections opened.
    pub connections: u64,
    /// Processes that crashed.
    pub crashes: u64,
    /// Processes that were stopped.
    pub stops: u64,
    /// Jumps of the clock.
    pub jumps: u64,
    /// Commits on a slow disk.
    pub slow_commits: u64,
    /// Rows damaged on disk.
    pub poisoned: u64,
    /// Requests of producers, or their answers, that were lost.
    pub lost_requests: u64,
    /// Faults of ports.
    pub faults: BTreeMap<FaultKind, u64>,
    /// Events of traces.
    pub events: u64,
}

impl Tally {
    /// Counts a world.
    pub fn add(&mut self, finished: &Finished) {
        let (mut accepted, mut over) = (BTreeSet::new(), BTreeSet::new());
        self.worlds += 1;
        self.millis += finished.trace.0.last().map_or(0, |event| event.at);
        self.events += finished.trace.0.len() as u64;
        for event in &finished.trace.0 {
            match &event.what {
                What::Stored { number, .. } => self.accepted += u64::from(accepted.insert(*number)),
                What::Taken { connection, items } => {
                    self.taken += items.len() as u64;
                    let repeats = items.iter().filter(|(number, _)| !over.insert((*connection, *number)));
                    self.repeats += repeats.count() as u64;
                }
                What::Opened { .. } => self.connections += 1,
                What::Ended(End::Crash) => self.crashes += 1,
                What::Ended(End::Stop) => self.stops += 1,
                What::Jumped(_) => self.jumps += 1,
                What::Committed { slow } => self.slow_commits += u64::from(*slow > 0),
                What::Poisoned { .. } => self.poisoned += 1,
                What::Called("request lost" | "answer lost") => self.lost_requests += 1,
                What::Fault { kind, .. } => *self.faults.entry(*kind).or_default() += 1,
                _ => {}
            }
        }
    }

    /// Counts what another has counted.
    pub fn merge(&mut self, other: &Self) {
        self.worlds += other.worlds;
        self.millis += other.millis;
        self.accepted += other.accepted;
        self.taken += other.taken;
        self.repeats += other.repeats;
        self.connections += other.connections;
        self.crashes += other.crashes;
        self.stops += other.stops;
        self.jumps += other.jumps;
        self.slow_commits += other.slow_commits;
        self.poisoned += other.poisoned;
        self.lost_requests += other.lost_requests;
        self.events += other.events;
        for (kind, count) in &other.faults {
            *self.faults.entry(*kind).or_default() += count;
        }
    }
}
