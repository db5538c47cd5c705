//! The random decisions of a seed, for simulations.

use std::sync::Mutex;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};
use shared_sync::IgnorePoison as _;

/// A seeded source of random decisions. The same seed, asked the same questions in the same order, decides
/// the same.
#[derive(Debug)]
pub struct SeededRandom(Mutex<Xoshiro256PlusPlus>);

impl SeededRandom {
    /// Makes the source of a seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(Xoshiro256PlusPlus::seed_from_u64(seed)))
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&self, low: u64, high: u64) -> u64 {
        self.0.lock().ignore_poison().random_range(low..=high.max(low))
    }

    /// A duration of `low` to `high` whole milliseconds, both included. The virtual clock has no finer ones.
    pub fn millis(&self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.between(low, high))
    }

    /// True with a probability of `per_mille` thousandths.
    pub fn chance(&self, per_mille: u64) -> bool {
        self.between(1, 1_000) <= per_mille
    }

    /// One of several values.
    pub fn pick<T: Copy, const N: usize>(&self, of: [T; N]) -> T {
        const { assert!(N > 0) };
        // The remainder is below the length of an array.
        #[expect(clippy::cast_possible_truncation, reason = "an index of an array")]
        let at = (self.between(0, u64::MAX) % N as u64) as usize;
        of[at]
    }

    /// A number from `low` to `high`, both included, for counts and sizes in memory.
    pub fn count(&self, low: u64, high: u64) -> usize {
        usize::try_from(self.between(low, high)).unwrap_or(0)
    }
}
