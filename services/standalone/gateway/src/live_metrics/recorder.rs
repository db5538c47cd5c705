//! Counts the metrics that live metrics use, on their way to `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, SharedString, Unit,
};
use serde::Serialize;

use super::latency::Buckets;

/// The counters, in the order of [`Counts`].
const COUNTERS: [&str; 8] = [
    "tidings_accepted_total",
    "tidings_delivered_total",
    "tidings_held_total",
    "tidings_replayed_total",
    "tidings_notifications_acknowledged_total",
    "tidings_expired_total",
    "tidings_dropped_total",
    "tidings_dead_letters_total",
];
const LATENCY: &str = "tidings_push_latency_seconds";

/// Numbers of notifications since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Accepted from producers, clients and broadcasts.
    pub accepted: u64,
    /// Pushed for the first time.
    pub delivered: u64,
    /// Put into a mailbox because they could not be pushed at once.
    pub held: u64,
    /// Pushed out of a mailbox.
    pub replayed: u64,
    /// Acknowledged by clients.
    pub acknowledged: u64,
    /// Deleted because they expired.
    pub expired: u64,
    /// Dropped because the user was offline and they were not to be held.
    pub dropped: u64,
    /// Turned into dead letters. The field of the JSON keeps its former name.
    #[serde(rename = "buried")]
    pub dead_lettered: u64,
}

/// A counter with a cache line of its own, because different threads count different events.
#[derive(Debug, Default)]
#[repr(align(64))]
struct CacheLine(AtomicU64);

/// Counts and latencies since the process began.
#[derive(Debug, Default)]
pub struct Tally {
    counters: [CacheLine; COUNTERS.len()],
    latency: Buckets,
}

impl Tally {
    /// Returns the counts.
    pub fn counts(&self) -> Counts {
        let [accepted, delivered, held, replayed, acknowledged, expired, dropped, dead_lettered] =
            self.counters.each_ref().map(|line| line.0.load(Ordering::Relaxed));
        Counts { accepted, delivered, held, replayed, acknowledged, expired, dropped, dead_lettered }
    }

    /// Returns the number of latencies in each bucket.
    pub(super) fn latencies(&self) -> Vec<u64> {
        self.latency.read()
    }
}

/// A recorder that counts the metrics of live metrics in a [`Tally`] and passes all metrics on.
#[derive(Debug)]
pub struct Recorder<R> {
    inner: R,
    tally: Arc<Tally>,
    // Made once, so that the use of a metric is no lookup in the registry behind.
    counters: [OnceLock<Counter>; COUNTERS.len()],
    latency: OnceLock<Histogram>,
}

impl<R: metrics::Recorder> Recorder<R> {
    /// Makes a recorder in front of `inner`.
    pub fn new(inner: R) -> Self {
        Self { inner, tally: Arc::default(), counters: Default::default(), latency: OnceLock::new() }
    }

    /// Returns the counts it keeps.
    pub fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.tally)
    }
}

struct CountTwice {
    shown: Counter,
    tally: Arc<Tally>,
    at: usize,
}

impl CounterFn for CountTwice {
    fn increment(&self, value: u64) {
        self.shown.increment(value);
        self.tally.counters[self.at].0.fetch_add(value, Ordering::Relaxed);
    }

    fn absolute(&self, value: u64) {
        self.shown.absolute(value);
        self.tally.counters[self.at].0.fetch_max(value, Ordering::Relaxed);
    }
}

struct RecordTwice {
    shown: Histogram,
    tally: Arc<Tally>,
}

impl HistogramFn for RecordTwice {
    fn record(&self, value: f64) {
        self.shown.record(value);
        self.tally.latency.record(value);
    }
}

/// Returns true if a metric has no labels. A metric with labels is another one than that without.
fn is_plain(key: &Key) -> bool {
    key.labels().len() == 0
}

impl<R: metrics::Recorder> metrics::Recorder for Recorder<R> {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.inner.describe_counter(key, unit, description);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.inner.describe_gauge(key, unit, description);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.inner.describe_histogram(key, unit, description);
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        let Some(at) = COUNTERS.iter().position(|name| *name == key.name()).filter(|_| is_plain(key)) else {
            return self.inner.register_counter(key, metadata);
        };
        let make = || {
            let shown = self.inner.register_counter(key, metadata);
            Counter::from_arc(Arc::new(CountTwice { shown, tally: self.tally(), at }))
        };
        self.counters[at].get_or_init(make).clone()
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.inner.register_gauge(key, metadata)
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        if key.name() != LATENCY || !is_plain(key) {
            return self.inner.register_histogram(key, metadata);
        }
        let make = || {
            let shown = self.inner.register_histogram(key, metadata);
            Histogram::from_arc(Arc::new(RecordTwice { shown, tally: self.tally() }))
        };
        self.latency.get_or_init(make).clone()
    }
}

#[cfg(test)]
mod tests {
    use metrics::{counter, gauge, histogram, with_local_recorder};
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn metrics_are_counted_and_passed_on() {
        let inner = PrometheusBuilder::new().build_recorder();
        let handle = inner.handle();
        let recorder = Recorder::new(inner);
        with_local_recorder(&recorder, || {
            for _ in 0..2 {
                counter!("tidings_accepted_total").increment(3);
                counter!("tidings_dead_letters_total", "reason" => "other").increment(50);
                counter!("tidings_messages_sent_total").increment(7);
            }
            counter!("tidings_replayed_total").absolute(9);
            gauge!("tidings_open_connections").set(2.0);
            histogram!("tidings_push_latency_seconds").record(0.004);
        });
        let tally = recorder.tally();
        assert_eq!(tally.counts(), Counts { accepted: 6, replayed: 9, ..Counts::default() });
        assert_eq!(tally.latencies()[4], 1);
        let shown = handle.render();
        for line in [
            "tidings_accepted_total 6",
            "tidings_dead_letters_total{reason=\"other\"} 100",
            "tidings_messages_sent_total 14",
            "tidings_replayed_total 9",
            "tidings_open_connections 2",
            "tidings_push_latency_seconds_count 1",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line} is not in {shown}");
        }
    }
}
