//! Exponential backoff with full jitter: each delay is a uniform random duration between zero and a bound,
//! and the bound doubles after each failure. See the AWS Architecture Blog
//! (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
//!
//! The `backoff` crate computes the bound. It is no longer maintained (RUSTSEC-2025-0012), so no other crate
//! of the workspace uses it. The jitter is drawn here, so that a simulation can supply its own.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;

/// Source of jitter. A simulation supplies its own.
pub trait Jitter: Send + Sync {
    /// Returns the delay before the next attempt, after `attempt` earlier failures (0 at first).
    fn delay(&self, policy: &RetryPolicy, attempt: u32) -> Duration;
}

/// Full jitter from the thread's random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThreadRandom;

impl Jitter for ThreadRandom {
    fn delay(&self, policy: &RetryPolicy, attempt: u32) -> Duration {
        policy.delay(attempt)
    }
}

/// Bounds of the delays between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RetryPolicy {
    /// Bound of the first delay.
    pub initial: Duration,
    /// Maximum bound.
    pub max: Duration,
}

impl RetryPolicy {
    /// Returns the bound of the delay after `attempt` earlier failures (0 at first).
    pub fn bound(&self, attempt: u32) -> Duration {
        let mut bounds = self.bounds();
        (0..attempt).for_each(|_| _ = bounds.next_backoff());
        bounds.next_backoff().unwrap_or(self.max)
    }

    /// Returns the delay after `attempt` earlier failures (0 at first), with jitter from the thread's random
    /// numbers.
    pub fn delay(&self, attempt: u32) -> Duration {
        self.bound(attempt).mul_f64(rand::random::<f64>())
    }

    /// Starts a series of delays, with jitter from the thread's random numbers.
    pub fn start(&self) -> Delays<impl FnMut(Duration) -> Duration + Send + use<>> {
        self.start_with(|bound| bound.mul_f64(rand::random::<f64>()))
    }

    /// Starts a series of delays. `draw` returns each delay for its bound.
    pub fn start_with<F: FnMut(Duration) -> Duration>(&self, draw: F) -> Delays<F> {
        Delays { bounds: self.bounds(), draw, max: self.max }
    }

    fn bounds(&self) -> ExponentialBackoff {
        ExponentialBackoff {
            current_interval: self.initial.min(self.max),
            initial_interval: self.initial.min(self.max),
            randomization_factor: 0.0,
            multiplier: 2.0,
            max_interval: self.max,
            // The caller ends the series.
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        }
    }
}

/// An endless series of delays.
pub struct Delays<F> {
    bounds: ExponentialBackoff,
    draw: F,
    max: Duration,
}

impl<F: FnMut(Duration) -> Duration> Iterator for Delays<F> {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let bound = self.bounds.next_backoff().unwrap_or(self.max);
        Some((self.draw)(bound))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy =
        RetryPolicy { initial: Duration::from_millis(100), max: Duration::from_secs(1) };

    #[test]
    fn bounds_double_up_to_the_maximum() {
        let millis: Vec<_> = POLICY.start_with(|bound| bound).take(6).map(|d| d.as_millis()).collect();
        assert_eq!(millis, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(POLICY.bound(0).as_millis(), 100);
        assert_eq!(POLICY.bound(3).as_millis(), 800);
        assert_eq!(POLICY.bound(60).as_millis(), 1000);
    }

    #[test]
    fn jitter_stays_within_the_bound() {
        for (delay, bound) in POLICY.start().zip(POLICY.start_with(|bound| bound)).take(100) {
            assert!(delay <= bound, "{delay:?} of {bound:?}");
        }
    }
}
