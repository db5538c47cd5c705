//! The rows of the table of metrics: labels, units and plots.

/// Bytes to MiB.
const MIB: f64 = 1.0 / 1_048_576.0;
/// Microseconds to milliseconds.
const MS: f64 = 1e-3;

/// A row of the table.
pub(super) struct Row {
    /// Name of the metric.
    pub(super) metric: &'static str,
    /// Label. One that begins with `…` continues the row above.
    pub(super) label: &'static str,
    /// Factor that converts the metric to the label's unit.
    pub(super) factor: f64,
    /// Name of its plot, if it has one.
    pub(super) plot: Option<&'static str>,
}

const fn row(metric: &'static str, label: &'static str, factor: f64) -> Row {
    Row { metric, label, factor, plot: None }
}

const fn plotted(metric: &'static str, label: &'static str, factor: f64, plot: &'static str) -> Row {
    Row { metric, label, factor, plot: Some(plot) }
}

/// All rows, in the table's order.
pub(super) const ROWS: &[Row] = &[
    plotted("online.perSecond", "online, unthrottled, /s", 1.0, "online"),
    plotted("online.cpuMicros", "… server CPU for each, µs", 1.0, "online-cpu"),
    row("online.rssBytes", "… server memory afterwards, MiB", MIB),
    row("steady.p50Micros", "online at 2,000/s, p50, ms", MS),
    plotted("steady.typicalP99Micros", "… median p99 of 250 ms windows, ms", MS, "steady-p99"),
    row("steady.p99Micros", "… p99, ms", MS),
    row("steady.p999Micros", "… p99.9, ms", MS),
    row("steady.cpuMicros", "… server CPU for each, µs", 1.0),
    row("sparse.p50Micros", "online at 200/s, p50, ms", MS),
    row("sparse.p99Micros", "… p99, ms", MS),
    row("sparse.cpuMicros", "… server CPU for each, µs", 1.0),
    row("half.perSecond", "online at half of the system's maximum, /s", 1.0),
    row("half.p50Micros", "… p50, ms", MS),
    plotted("half.typicalP99Micros", "… median p99 of 250 ms windows, ms", MS, "half-p99"),
    row("half.p99Micros", "… p99, ms", MS),
    row("half.lateP99Micros", "… lateness of the generator, p99, ms", MS),
    plotted("accept.perSecond", "accepted, users disconnected, /s", 1.0, "accept"),
    row("accept.cpuMicros", "… server CPU for each, µs", 1.0),
    row("accept.rssBytes", "… server memory afterwards, MiB", MIB),
    plotted("replay.perSecond", "replay when all connect, /s", 1.0, "replay"),
    row("replay.cpuMicros", "… server CPU for each, µs", 1.0),
    plotted("connections.perSecond", "connections, /s", 1.0, "connections"),
    row("connections.p99Micros", "… time until ready, 512 at once, p99, ms", MS),
    row("connections.cpuMicros", "… server CPU for each, µs", 1.0),
    plotted("connections.bytesEach", "memory of an idle connection among 10,000, bytes", 1.0, "idle"),
    row("fewerConnections.bytesEach", "… among 5,000, bytes", 1.0),
    row("moreConnections.bytesEach", "… among 18,000, bytes", 1.0),
    row("manyConnections.bytesEach", "… among 50,000, bytes", 1.0),
    row(
        "allRead.typicalP99Micros",
        "median p99 of 250 ms windows while a user gets and reads 8 MB/s, ms",
        MS,
    ),
    plotted(
        "oneStuck.typicalP99Micros",
        "median p99 of 250 ms windows while a user gets 8 MB/s and does not read, ms",
        MS,
        "stuck-p99",
    ),
    row("allRead.p99Micros", "p99 while a user gets and reads 8 MB/s, ms", MS),
    row("oneStuck.p99Micros", "… and does not read, ms", MS),
    row("crash.expected", "accepted before kill -9", 1.0),
    row("crash.lost", "… lost", 1.0),
    row("crash.duplicates", "… duplicated", 1.0),
    row("crash.reordered", "… out of order", 1.0),
    row("crash.restartSeconds", "… time until ready again, s", 1.0),
    row("interrupted.lost", "connections dropped during the replay: lost", 1.0),
    row("interrupted.usersOutOfOrder", "… users with notifications out of order, of 100", 1.0),
    row("interrupted.duplicates", "… duplicated", 1.0),
    row("interrupted.seconds", "… time until the last, s", 1.0),
    row("held.expected", "held for one user", 1.0),
    row("held.lost", "… lost", 1.0),
    row("held.reordered", "… out of order", 1.0),
    row("held.seconds", "… time until the last, s", 1.0),
];
