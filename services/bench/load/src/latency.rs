//! Histograms of latencies and their percentiles, in microseconds.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Longest recorded latency: an hour. Longer ones count as an hour.
const MAX_MICROS: u64 = 3_600_000_000;

/// Creates a histogram of microseconds with three significant digits.
#[allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "these bounds are constant and within what the constructor allows"
)]
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MAX_MICROS, 3).expect("constant bounds")
}

/// Percentiles of a histogram, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the field names say it")]
pub struct Latency {
    pub p50: u64,
    pub p99: u64,
    #[serde(rename = "p99_9")]
    pub p99_9: u64,
    pub max: u64,
}

impl Latency {
    /// Reads the percentiles of a histogram. Returns `None` if it is empty.
    pub fn of(histogram: &Histogram<u64>) -> Option<Self> {
        (!histogram.is_empty()).then(|| Self {
            p50: histogram.value_at_quantile(0.5),
            p99: histogram.value_at_quantile(0.99),
            p99_9: histogram.value_at_quantile(0.999),
            max: histogram.max(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_come_from_recorded_values() {
        let mut histogram = histogram();
        assert_eq!(Latency::of(&histogram), None);
        for micros in 1..=1_000 {
            histogram.saturating_record(micros);
        }
        let latency = Latency::of(&histogram).unwrap();
        assert_eq!(latency, Latency { p50: 500, p99: 990, p99_9: 999, max: 1_000 });
    }
}
