//! Latencies in buckets, and their percentiles between two readings.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// Below this number of milliseconds each has a bucket of its own.
const EXACT: u64 = 64;
/// Number of buckets for each doubling beyond [`EXACT`]: a value is exact to 3 % or better.
const DIVISIONS: u64 = 32;
/// The longest latency with a bucket of its own, in milliseconds: 49 days.
const LONGEST: u64 = u32::MAX as u64;
const BUCKETS: usize = bucket(LONGEST) + 1;

/// Returns the bucket of a latency.
#[expect(clippy::cast_possible_truncation, reason = "there are under a thousand")]
const fn bucket(millis: u64) -> usize {
    if millis < EXACT {
        return millis as usize;
    }
    let doubling = (millis.ilog2() - EXACT.ilog2()) as u64;
    // The bits behind the leading one.
    let division = (millis >> (doubling + 1)) - DIVISIONS;
    (EXACT + doubling * DIVISIONS + division) as usize
}

/// Returns the longest latency of a bucket, in milliseconds.
const fn highest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < EXACT {
        return bucket;
    }
    let (doubling, division) = ((bucket - EXACT) / DIVISIONS, (bucket - EXACT) % DIVISIONS);
    ((DIVISIONS + division + 1) << (doubling + 1)) - 1
}

/// Number of latencies in each bucket since the process began.
#[derive(Debug)]
pub(super) struct Buckets(Box<[AtomicU64]>);

impl Default for Buckets {
    fn default() -> Self {
        Self((0..BUCKETS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Buckets {
    /// Counts a latency. Negative ones count as zero.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded and not below zero")]
    pub(super) fn record(&self, seconds: f64) {
        let millis = ((seconds * 1_000.0).round().max(0.0) as u64).min(LONGEST);
        self.0[bucket(millis)].fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of latencies in each bucket.
    pub(super) fn read(&self) -> Vec<u64> {
        self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }
}

/// Percentiles of latencies, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Number of latencies.
    pub count: u64,
    /// The median.
    pub p50: u64,
    /// The 95th percentile.
    pub p95: u64,
    /// The 99th percentile.
    pub p99: u64,
}

impl Latency {
    /// Returns the percentiles of the latencies between two readings; `None` if there were none.
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
    fn buckets_are_exact_to_three_percent() {
        let mut last = 0;
        for millis in (0..10_000).chain((10_000..4_000_000).step_by(997)).chain([LONGEST]) {
            let at = bucket(millis);
            assert!(at >= last && at < BUCKETS, "{millis}");
            last = at;
            let shown = highest(at);
            assert!(shown >= millis && shown - millis <= millis / 32, "{millis} is shown as {shown}");
        }
    }

    #[test]
    fn percentiles_cover_the_time_between_readings() {
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
