//! Simulations of many seeds, on several threads.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::check::{Violation, check};
use crate::error::SimulationError;
use crate::run::run;
use crate::simulation::lock;
use crate::statistics::Statistics;

/// The result of many simulations.
#[derive(Debug, Default)]
pub struct Exploration {
    /// Counts of events.
    pub statistics: Statistics,
    /// The lowest seed run that breaks a promise, and the promise.
    pub violation: Option<(u64, Violation)>,
}

/// Runs the simulations of seeds until one breaks a promise.
///
/// # Errors
/// [`SimulationError`] if a simulation could not be run.
pub fn explore(seeds: Range<u64>, threads: u64) -> Result<Exploration, SimulationError> {
    let next = AtomicU64::new(seeds.start);
    let found = Mutex::new(Exploration::default());
    let work = || {
        let mut statistics = Statistics::default();
        let result = loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || lock(&found).violation.is_some() {
                break Ok(());
            }
            let finished = match run(seed, None) {
                Ok(finished) => finished,
                Err(error) => break Err(error),
            };
            statistics.add(&finished);
            if let Some(violation) = check(&finished) {
                let known = &mut lock(&found).violation;
                if known.as_ref().is_none_or(|(other, _)| seed < *other) {
                    *known = Some((seed, violation));
                }
            }
        };
        lock(&found).statistics.merge(&statistics);
        result
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            match thread.join() {
                Ok(result) => result?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok::<_, SimulationError>(())
    })?;
    Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner))
}
