//! Metrics by name, and the delivery errors among them.
//!
//! A name has two parts, such as `online.perSecond`: the activity that was measured, and the metric. The
//! second part is the same in all benchmarks.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use bench_load::{Latency, Tally};
use shared_telemetry::process::Usage;

use crate::markdown::table;
use crate::number::number;

/// Metrics by name.
pub type Metrics = BTreeMap<String, f64>;

/// Records the metrics of one activity.
#[derive(Debug)]
pub struct Recorder<'a> {
    metrics: &'a mut Metrics,
    activity: &'a str,
}

impl<'a> Recorder<'a> {
    /// Records into `metrics`, with `activity` as the first part of each name.
    pub fn new(metrics: &'a mut Metrics, activity: &'a str) -> Self {
        Self { metrics, activity }
    }

    /// Records one value.
    pub fn record(&mut self, name: &str, value: f64) {
        self.metrics.insert(format!("{}.{name}", self.activity), value);
    }

    /// Records and returns a rate: `count` within `took`.
    pub fn rate(&mut self, count: u64, took: Duration) -> f64 {
        let per_second = count as f64 / took.as_secs_f64().max(f64::EPSILON);
        self.record("perSecond", per_second);
        per_second
    }

    /// Records the delivery errors among `expected` deliveries.
    pub fn delivery_errors(&mut self, expected: u64, tally: &Tally) {
        self.record("expected", expected as f64);
        self.record("lost", expected.saturating_sub(tally.received) as f64);
        self.record("duplicates", tally.duplicates as f64);
        self.record("reordered", tally.reordered as f64);
        self.record("connectionsLost", tally.connections_lost as f64);
    }

    /// Records percentiles, if there are any.
    pub fn latency(&mut self, latency: Option<Latency>) {
        let Some(latency) = latency else { return };
        self.record("p50Micros", latency.p50 as f64);
        self.record("p99Micros", latency.p99 as f64);
        self.record("p999Micros", latency.p99_9 as f64);
        self.record("maxMicros", latency.max as f64);
    }

    /// Records the median of the 99th percentiles of 250 ms windows, if anything arrived.
    pub fn window_p99(&mut self, tally: &Tally) {
        if let Some(micros) = tally.latency_windows.median_p99() {
            self.record("typicalP99Micros", micros as f64);
        }
    }

    /// Records the processor time for each of `count` messages.
    pub fn cpu(&mut self, before: Duration, after: Duration, count: u64) {
        if count > 0 {
            self.record("cpuMicros", after.saturating_sub(before).as_secs_f64() * 1e6 / count as f64);
        }
    }

    /// Records the resident memory of the server.
    pub fn memory(&mut self, usage: &Usage) {
        self.record("rssBytes", usage.rss_bytes as f64);
    }
}

/// Names of the counts that must be zero, as [`Recorder::delivery_errors`] records them.
const DELIVERY_ERRORS: [&str; 4] = ["lost", "duplicates", "reordered", "connectionsLost"];

/// Returns true if a metric reports a delivery error.
pub fn is_delivery_error(name: &str, value: f64) -> bool {
    value > 0.0 && DELIVERY_ERRORS.contains(&last_part(name))
}

/// Sums of expected deliveries and delivery errors over many measurements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeliveryTotals {
    /// Deliveries that were expected.
    pub expected: f64,
    /// Lost, duplicated and misordered notifications, and lost connections.
    pub errors: [f64; 4],
}

impl DeliveryTotals {
    /// Sums over some measurements.
    pub fn of(metrics: &[&Metrics]) -> Self {
        let sum = |wanted: &str| {
            let values = metrics.iter().copied().flatten().filter(|(name, _)| last_part(name) == wanted);
            // `Iterator::sum` of nothing is -0.
            values.fold(0.0, |sum, (_, value)| sum + value)
        };
        Self { expected: sum("expected"), errors: DELIVERY_ERRORS.map(sum) }
    }

    /// Returns the number of errors of all kinds.
    pub fn error_count(&self) -> f64 {
        self.errors.iter().sum()
    }
}

/// Formats a Markdown table of delivery errors with a row for each name.
pub fn delivery_table<N: Display>(rows: impl Iterator<Item = (N, DeliveryTotals)>) -> String {
    let headings = ["", "expected", "lost", "duplicated", "out of order", "connections lost"];
    table(
        headings.map(str::to_owned),
        rows.map(
            |(name, DeliveryTotals { expected, errors: [lost, duplicates, reordered, connections] })| {
                let [expected, lost, duplicates, reordered, connections] =
                    [expected, lost, duplicates, reordered, connections].map(number);
                [name.to_string(), expected, lost, duplicates, reordered, connections]
            },
        ),
    )
}

/// Returns the second part of a metric's name.
pub fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}
