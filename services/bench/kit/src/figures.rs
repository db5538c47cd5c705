//! Figures by name.

use std::collections::BTreeMap;
use std::time::Duration;

use bench_load::{Latency, Tally};

/// Figures by name.
pub type Figures = BTreeMap<String, f64>;

/// Enters figures under a common name.
#[derive(Debug)]
pub struct Entry<'a> {
    /// Where they are entered.
    pub figures: &'a mut Figures,
    /// Stands before each one's name, with a point between.
    pub under: &'a str,
}

impl Entry<'_> {
    /// Enters one.
    pub fn add(&mut self, name: &str, value: f64) {
        self.figures.insert(format!("{}.{name}", self.under), value);
    }

    /// What was lost and so on of so many deliveries.
    pub fn soundness(&mut self, expected: u64, tally: &Tally) {
        self.add("expected", expected as f64);
        self.add("lost", expected.saturating_sub(tally.received) as f64);
        self.add("duplicates", tally.duplicates as f64);
        self.add("reordered", tally.reordered as f64);
        self.add("connectionsLost", tally.lost as f64);
    }

    /// Percentiles, unless they are of nothing.
    pub fn latency(&mut self, latency: Option<Latency>) {
        let Some(latency) = latency else { return };
        self.add("p50Micros", latency.p50 as f64);
        self.add("p99Micros", latency.p99 as f64);
        self.add("p999Micros", latency.p99_9 as f64);
        self.add("maxMicros", latency.max as f64);
    }

    /// The server's time a message since `before`, unless too little to be told from nothing.
    pub fn cpu(&mut self, before: Duration, after: Duration, messages: u64) {
        if messages > 0 {
            self.add("cpuMicros", after.saturating_sub(before).as_secs_f64() * 1e6 / messages as f64);
        }
    }
}

/// What is not sound: names of counts that must be nothing.
pub const UNSOUND: [&str; 4] = ["lost", "duplicates", "reordered", "connectionsLost"];

/// The last part of a figure's name.
pub fn last_part(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}
