//! Figures by name.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use bench_load::{Latency, Tally};

use crate::number;

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

    /// The 99th percentile of a typical quarter of a second, unless it is of nothing.
    pub fn typical(&mut self, tally: &Tally) {
        if let Some(micros) = tally.quarters.typical_p99() {
            self.add("typicalP99Micros", micros as f64);
        }
    }

    /// The server's time a message since `before`, unless too little to be told from nothing.
    pub fn cpu(&mut self, before: Duration, after: Duration, messages: u64) {
        if messages > 0 {
            self.add("cpuMicros", after.saturating_sub(before).as_secs_f64() * 1e6 / messages as f64);
        }
    }
}

/// Counts that must be nothing, as [`Entry::soundness`] names them.
const UNSOUND: [&str; 4] = ["lost", "duplicates", "reordered", "connectionsLost"];

/// Whether a figure says that something was lost, came twice or out of order.
pub fn is_unsound(key: &str, value: f64) -> bool {
    value > 0.0 && UNSOUND.contains(&last_part(key))
}

/// Sums over measurements: what was expected, and what of it was lost, came twice and out of order, and how many
/// connections were lost.
pub fn soundness<'a>(measured: &(impl Iterator<Item = &'a Figures> + Clone)) -> [f64; 5] {
    let [lost, duplicates, reordered, connections] = UNSOUND;
    ["expected", lost, duplicates, reordered, connections].map(|name| {
        let counts = measured.clone().flatten().filter(|(key, _)| last_part(key) == name);
        // A sum of nothing would be -0.
        counts.fold(0.0, |sum, (_, count)| sum + count)
    })
}

/// A table of soundness in Markdown: each row's name and its sums.
pub fn soundness_table<N: Display>(rows: impl Iterator<Item = (N, [f64; 5])>) -> String {
    let head =
        "| | expected | lost | came twice | out of order | connections lost |\n|---|---|---|---|---|---|\n";
    let row = |(name, counts): (N, [f64; 5])| format!("| {name} | {} |\n", counts.map(number).join(" | "));
    std::iter::once(head.to_owned()).chain(rows.map(row)).collect()
}

/// The last part of a figure's name.
pub fn last_part(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}
