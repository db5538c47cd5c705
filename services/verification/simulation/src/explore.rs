//! Many seeds, on several threads.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::SimulationError;
use crate::check::{Broken, check};
use crate::run::run;
use crate::tally::Tally;
use crate::world::lock;

/// What many seeds have shown.
#[derive(Debug, Default)]
pub struct Found {
    /// What happened.
    pub tally: Tally,
    /// The lowest seed that was run and breaks a promise.
    pub broken: Option<(u64, Broken)>,
}

/// Runs the worlds of seeds, until one breaks a promise.
///
/// # Errors
/// [`SimulationError`] when one could not be run.
pub fn explore(seeds: Range<u64>, threads: u64) -> Result<Found, SimulationError> {
    let next = AtomicU64::new(seeds.start);
    let found = Mutex::new(Found::default());
    let work = || {
        let mut tally = Tally::default();
        let result = loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || lock(&found).broken.is_some() {
                break Ok(());
            }
            let finished = match run(seed, None) {
                Ok(finished) => finished,
                Err(error) => break Err(error),
            };
            tally.add(&finished);
            if let Some(broken) = check(&finished) {
                let known = &mut lock(&found).broken;
                if known.as_ref().is_none_or(|(other, _)| seed < *other) {
                    *known = Some((seed, broken));
                }
            }
        };
        lock(&found).tally.merge(&tally);
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
    Ok(found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}
