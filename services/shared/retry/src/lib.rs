//! Exponential backoff with full jitter, as the AWS Architecture Blog describes it
//! (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>): each delay is drawn
//! evenly from zero to a bound that doubles.
//!
//! The bound comes from the `backoff` crate, which is no longer maintained (RUSTSEC-2025-0012); this crate
//! is the only one that uses it. The draw is made here, so that a simulation can decide it.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;

/// Where the jitter comes from, so that a simulation can decide it.
pub trait Jitter: Send + Sync {
    /// The delay after `attempt` failures (the first is 0).
    fn delay(&self, policy: &RetryPolicy, attempt: u32) -> Duration;
}

/// The thread's random numbers: full jitter.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThreadRandom;

impl Jitter for ThreadRandom {
    fn delay(&self, policy: &RetryPolicy, attempt: u32) -> Duration {
        policy.delay(attempt)
    }
}

/// How delays grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RetryPolicy {
    /// Bound of the first delay.
    pub initial: Duration,
    /// The bound doubles until it reaches this.
    pub max: Duration,
}

impl RetryPolicy {
    /// The bound of the delay after `attempt` failures (the first is 0), without jitter.
    pub fn bound(&self, attempt: u32) -> Duration {
        let mut bounds = self.bounds();
        (0..attempt).for_each(|_| _ = bounds.next_backoff());
        bounds.next_backoff().unwrap_or(self.max)
    }

    /// The delay after `attempt` failures (the first is 0), jittered by the thread's random numbers.
    pub fn delay(&self, attempt: u32) -> Duration {
        self.bound(attempt).mul_f64(rand::random::<f64>())
    }

    /// A fresh series of delays, jittered by the thread's random numbers.
    pub fn start(&self) -> Delays<impl FnMut(Duration) -> Duration + Send + use<>> {
        self.start_with(|bound| bound.mul_f64(rand::random::<f64>()))
    }

    /// A fresh series of delays, each drawn by `draw` from its bound.
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
            // The caller's budget ends the series, not time.
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
