//! Percentiles of a measurement.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Latencies in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct Latency {
    pub p50: u64,
    pub p99: u64,
    #[serde(rename = "p99_9")]
    pub p99_9: u64,
    pub max: u64,
}

impl Latency {
    /// Nothing, of nothing.
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
    use crate::tally::histogram;

    #[test]
    fn percentiles_are_those_of_what_was_recorded() {
        let mut histogram = histogram();
        assert_eq!(Latency::of(&histogram), None);
        for micros in 1..=1_000 {
            histogram.saturating_record(micros);
        }
        let latency = Latency::of(&histogram).unwrap();
        assert_eq!(latency, Latency { p50: 500, p99: 990, p99_9: 999, max: 1_000 });
    }
}
