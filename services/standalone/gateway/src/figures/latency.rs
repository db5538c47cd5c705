//! Latencies in buckets, and what of them a second had.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// Up to this many milliseconds each has a bucket of its own.
const EXACT: u64 = 64;
/// Beyond that each doubling is divided into this many buckets: a value is told to 3 % or better.
const DIVISIONS: u64 = 32;
/// The longest latency told apart: 49 days.
const LONGEST: u64 = u32::MAX as u64;
const BUCKETS: usize = bucket(LONGEST) + 1;

/// The bucket of so many milliseconds.
#[expect(clippy::cast_possible_truncation, reason = "there are under a thousand")]
const fn bucket(millis: u64) -> usize {
    if millis < EXACT {
        return millis as usize;
    }
    let doubling = (millis.ilog2() - EXACT.ilog2()) as u64;
    // The first bits of the number, without the leading one.
    let division = (millis >> (doubling + 1)) - DIVISIONS;
    (EXACT + doubling * DIVISIONS + division) as usize
}

/// The most milliseconds that are in a bucket.
const fn highest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < EXACT {
        return bucket;
    }
    let (doubling, division) = ((bucket - EXACT) / DIVISIONS, (bucket - EXACT) % DIVISIONS);
    ((DIVISIONS + division + 1) << (doubling + 1)) - 1
}

/// How often each latency came since the process began.
#[derive(Debug)]
pub(super) struct Buckets(Box<[AtomicU64]>);

impl Default for Buckets {
    fn default() -> Self {
        Self((0..BUCKETS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Buckets {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded and not below zero")]
    pub(super) fn record(&self, seconds: f64) {
        let millis = ((seconds * 1_000.0).round().max(0.0) as u64).min(LONGEST);
        self.0[bucket(millis)].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Vec<u64> {
        self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }
}

/// Percentiles of latencies, in milliseconds. Times are kept to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// How many there were.
    pub count: u64,
    /// Half of them took no longer.
    pub p50: u64,
    /// Nor 95 in 100 than this,
    pub p95: u64,
    /// nor 99 in 100 than this.
    pub p99: u64,
}

impl Latency {
    /// Of what came between two readings; `None` when there was nothing.
    pub(super) fn between(before: &[u64], after: &[u64]) -> Option<Self> {
        let counts = || after.iter().zip(before).map(|(after, before)| after.saturating_sub(*before));
        let count: u64 = counts().sum();
        let percentile = |percent: u64| {
            let rank = (count * percent).div_ceil(100);
            let mut seen = 0;
            let reached = |of_bucket: u64| {
                seen += of_bucket;
                seen >= rank
            };
            counts().position(reached).map_or(LONGEST, highest)
        };
        (count > 0).then(|| Self { count, p50: percentile(50), p95: percentile(95), p99: percentile(99) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_is_in_a_bucket_that_tells_it_to_three_percent() {
        let mut last = 0;
        for millis in (0..10_000).chain((10_000..4_000_000).step_by(997)).chain([LONGEST]) {
            let at = bucket(millis);
            assert!(at >= last && at < BUCKETS, "{millis}");
            last = at;
            let told = highest(at);
            assert!(told >= millis && told - millis <= millis / 32, "{millis} is told as {told}");
        }
    }

    #[test]
    fn percentiles_are_of_what_came_between() {
        let buckets = Buckets::default();
        buckets.record(9.0);
        let before = buckets.read();
        assert_eq!(Latency::between(&before, &before), None);
        for millis in 1..=60 {
            buckets.record(f64::from(millis) / 1_000.0);
        }
        let latency = Latency::between(&before, &buckets.read()).unwrap();
        assert_eq!(latency, Latency { count: 60, p50: 30, p95: 57, p99: 60 });
        buckets.record(-1.0);
        buckets.record(1e12);
        assert_eq!(Latency::between(&before, &buckets.read()).unwrap().count, 62);
    }
}
