//! Reports of measurements.

use std::time::Duration;

use bench_load::{Latency, SendReport, Tally, thousands};
use serde::Serialize;
use shared_telemetry::process::{Usage, usage};

use super::Load;

/// Results of a measurement. A value that was not measured is absent.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names describe the fields, and `rows` has labels for them")]
pub struct Report {
    pub mode: &'static str,
    pub users: u32,
    pub connections: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicates: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reordered: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections_lost: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_micros: Option<Latency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_micros: Option<Latency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lateness_micros: Option<Latency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connects_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshake_micros: Option<Latency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_connection: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_rss_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_cpu_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_cpu_micros_per_message: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generator_cpu_seconds: Option<f64>,
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Label.
    pub name: &'static str,
    /// Value with unit.
    pub value: String,
    /// True if the value shows a broken promise.
    pub bad: bool,
}

/// CPU time and memory at the start of a measurement.
pub(super) struct Meter {
    pid: Option<u32>,
    server: Option<Usage>,
    own: Option<Usage>,
}

impl Meter {
    pub(super) fn start(pid: Option<u32>) -> Self {
        Self { pid, server: usage(pid), own: usage(Some(std::process::id())) }
    }

    /// Adds the usage since the start to `report`: CPU time for each of `messages`, if there were any.
    pub(super) fn stop(self, messages: Option<u64>, report: &mut Report) {
        if let (Some(before), Some(after)) = (self.server, usage(self.pid)) {
            let cpu = after.cpu.saturating_sub(before.cpu);
            report.server_rss_bytes = Some(after.rss_bytes);
            report.server_cpu_seconds = Some(cpu.as_secs_f64());
            report.server_cpu_micros_per_message =
                messages.filter(|count| *count > 0).map(|count| cpu.as_secs_f64() * 1e6 / count as f64);
        }
        if let (Some(before), Some(after)) = (self.own, usage(Some(std::process::id()))) {
            report.generator_cpu_seconds = Some(after.cpu.saturating_sub(before.cpu).as_secs_f64());
        }
    }

    /// Returns the server's memory at the start.
    pub(super) fn rss_bytes(&self) -> Option<u64> {
        self.server.map(|usage| usage.rss_bytes)
    }
}

/// Returns `count` per second.
pub(super) fn per_second(count: u64, took: Duration) -> Option<f64> {
    (!took.is_zero()).then(|| count as f64 / took.as_secs_f64())
}

impl Report {
    /// Returns a report of the notifications sent, and of the `expected` deliveries since `began`, in
    /// nanoseconds of the run's clock.
    pub(super) fn of_deliveries(
        mode: &'static str,
        load: &Load,
        sent: &SendReport,
        tally: &Tally,
        (expected, began): (u64, u64),
    ) -> Self {
        let took = Duration::from_nanos(tally.last.saturating_sub(began));
        Self {
            mode,
            users: load.users,
            connections: load.connections,
            accepted: Some(sent.accepted),
            accepted_per_second: per_second(sent.accepted, sent.took),
            failed: Some(sent.failed),
            delivered: Some(tally.received),
            delivered_per_second: per_second(tally.received, took),
            lost: Some(expected.saturating_sub(tally.received)),
            duplicates: Some(tally.duplicates),
            reordered: Some(tally.reordered),
            connections_lost: Some(tally.connections_lost),
            request_micros: Latency::of(&sent.requests),
            lateness_micros: load.rate.and_then(|_| Latency::of(&sent.lateness)),
            ..Self::default()
        }
    }

    /// Returns true if the server kept its promises.
    pub fn is_sound(&self) -> bool {
        let none = |count: Option<u64>| count.unwrap_or(0) == 0;
        none(self.lost)
            && none(self.duplicates)
            && none(self.reordered)
            && none(self.failed)
            && none(self.connections_lost)
    }

    /// Returns the report as a table.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut add = |name, value: Option<String>, bad| {
            rows.extend(value.map(|value| Row { name, value, bad }));
        };
        let count = |value: Option<u64>| value.map(grouped);
        let rate = |value: Option<f64>| value.map(|rate| format!("{}/s", thousands(&format!("{rate:.0}"))));
        let seconds = |value: Option<f64>| value.map(|value| format!("{value:.2} s"));
        let latency = |value: Option<Latency>| value.map(latency_text);
        let some = |value: Option<u64>| value.is_some_and(|value| value > 0);
        add("users", (self.users > 0).then(|| grouped(self.users.into())), false);
        add("connections", Some(grouped(self.connections.into())), false);
        add("accepted", count(self.accepted), false);
        add("", rate(self.accepted_per_second), false);
        add("not accepted", count(self.failed), some(self.failed));
        add("delivered", count(self.delivered), false);
        add("", rate(self.delivered_per_second), false);
        add("lost", count(self.lost), some(self.lost));
        add("duplicates", count(self.duplicates), some(self.duplicates));
        add("out of order", count(self.reordered), some(self.reordered));
        add("connections lost", count(self.connections_lost), some(self.connections_lost));
        add("delivery", latency(self.delivery_micros), false);
        add("request", latency(self.request_micros), false);
        add("sent late by", latency(self.lateness_micros), false);
        add("connects", rate(self.connects_per_second), false);
        add("handshake", latency(self.handshake_micros), false);
        add("per connection", self.bytes_per_connection.map(|n| format!("{} bytes", grouped(n))), false);
        add("server memory", self.server_rss_bytes.map(|n| format!("{} KiB", grouped(n / 1024))), false);
        add("server CPU", seconds(self.server_cpu_seconds), false);
        add("", self.server_cpu_micros_per_message.map(|n| format!("{n:.2} µs per notification")), false);
        add("generator CPU", seconds(self.generator_cpu_seconds), false);
        rows
    }
}

fn latency_text(latency: Latency) -> String {
    let [p50, p99, p99_9, max] =
        [latency.p50, latency.p99, latency.p99_9, latency.max].map(|micros| micros as f64 / 1_000.0);
    format!("p50 {p50:.2}  p99 {p99:.2}  p99.9 {p99_9:.2}  max {max:.2} ms")
}

/// Formats a number with thousands separators.
fn grouped(number: u64) -> String {
    thousands(&number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_shows_measured_values_only() {
        let report = Report { mode: "idle", connections: 10_000, lost: Some(3), ..Report::default() };
        let rows: Vec<_> = report.rows().into_iter().map(|row| (row.name, row.value, row.bad)).collect();
        assert_eq!(rows, [("connections", "10,000".to_owned(), false), ("lost", "3".to_owned(), true)]);
        assert!(!report.is_sound());
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(json, r#"{"mode":"idle","users":0,"connections":10000,"lost":3}"#);
    }

    #[test]
    fn thousands_are_separated() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
