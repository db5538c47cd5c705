//! Simulations of many seeds, on several threads.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use shared_sync::IgnorePoison as _;

use crate::check::check;
use crate::log::EventKind;
use crate::mutant::Mutant;
use crate::promise::Violation;
use crate::run::{Finished, run};

/// Counts of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Simulations.
    pub simulations: u64,
    /// Virtual milliseconds.
    pub millis: u64,
    /// Notifications accepted.
    pub accepted: u64,
    /// Notifications that the gateway took.
    pub pushed: u64,
    /// Connections opened.
    pub connections: u64,
    /// Batches dispatched.
    pub batches: u64,
    /// Batches without an answer.
    pub unanswered: u64,
    /// Entries delivered again.
    pub redelivered: u64,
    /// Faults.
    pub faults: u64,
}

impl Statistics {
    fn add(&mut self, finished: &Finished) {
        self.simulations += 1;
        self.millis += finished.log.last().map_or(0, |event| event.at);
        for event in &finished.log {
            match &event.kind {
                EventKind::Accepted { .. } => self.accepted += 1,
                EventKind::Pushed { numbers, .. } => self.pushed += numbers.len() as u64,
                EventKind::Opened { .. } => self.connections += 1,
                EventKind::BatchBegan { .. } => self.batches += 1,
                EventKind::BatchEnded { error: Some(_), .. } => self.unanswered += 1,
                EventKind::Redelivered { .. } => self.redelivered += 1,
                EventKind::Fault(_) => self.faults += 1,
                _ => {}
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.simulations += other.simulations;
        self.millis += other.millis;
        self.accepted += other.accepted;
        self.pushed += other.pushed;
        self.connections += other.connections;
        self.batches += other.batches;
        self.unanswered += other.unanswered;
        self.redelivered += other.redelivered;
        self.faults += other.faults;
    }
}

/// The result of many simulations.
#[derive(Debug, Default)]
pub struct Exploration {
    /// Counts of events.
    pub statistics: Statistics,
    /// The lowest seed run that breaks a promise, and the promise.
    pub violation: Option<(u64, Violation)>,
}

/// Runs the simulations of seeds, with a mutant or without, until one breaks a promise.
///
/// # Errors
/// A simulation could not be run.
pub fn explore(seeds: Range<u64>, threads: u64, mutant: Option<Mutant>) -> anyhow::Result<Exploration> {
    let next = AtomicU64::new(seeds.start);
    let found = Mutex::new(Exploration::default());
    let lock = || found.lock().ignore_poison();
    let work = || {
        let mut statistics = Statistics::default();
        let result = loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || lock().violation.is_some() {
                break Ok(());
            }
            let finished = match run(seed, mutant) {
                Ok(finished) => finished,
                Err(error) => break Err(error),
            };
            statistics.add(&finished);
            if let Some(violation) = check(&finished) {
                let known = &mut lock().violation;
                if known.as_ref().is_none_or(|(other, _)| seed < *other) {
                    *known = Some((seed, violation));
                }
            }
        };
        lock().statistics.merge(&statistics);
        result
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    Ok(found.into_inner().ignore_poison())
}
