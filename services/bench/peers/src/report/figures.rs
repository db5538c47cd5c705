//! What figures are called and measured in.

/// A line of the table.
pub(crate) struct Figure {
    pub(crate) key: &'static str,
    pub(crate) label: &'static str,
    /// The figure is multiplied by it to be in the label's unit.
    pub(crate) factor: f64,
    /// The plot it is shown in, where it is.
    pub(crate) plot: Option<&'static str>,
}

const fn figure(key: &'static str, label: &'static str, factor: f64) -> Figure {
    Figure { key, label, factor, plot: None }
}

const fn plotted(key: &'static str, label: &'static str, factor: f64, plot: &'static str) -> Figure {
    Figure { key, label, factor, plot: Some(plot) }
}

/// All of them, in the table's order.
pub(crate) const FIGURES: &[Figure] = &[
    plotted("online.perSecond", "online, as many as possible, /s", 1.0, "online"),
    plotted("online.cpuMicros", "… server CPU each, µs", 1.0, "online-cpu"),
    figure("online.rssBytes", "… server memory after it, MiB", 1.0 / 1_048_576.0),
    figure("steady.p50Micros", "online at 2,000/s, p50, ms", 1e-3),
    plotted("steady.typicalP99Micros", "… p99 of a typical ¼ s, ms", 1e-3, "steady-p99"),
    figure("steady.p99Micros", "… p99, ms", 1e-3),
    figure("steady.p999Micros", "… p99.9, ms", 1e-3),
    figure("steady.cpuMicros", "… server CPU each, µs", 1.0),
    figure("half.perSecond", "online at half of each one's most, /s", 1.0),
    figure("half.p50Micros", "… p50, ms", 1e-3),
    plotted("half.typicalP99Micros", "… p99 of a typical ¼ s, ms", 1e-3, "half-p99"),
    figure("half.p99Micros", "… p99, ms", 1e-3),
    figure("half.lateP99Micros", "… generator late by, p99, ms", 1e-3),
    plotted("accept.perSecond", "accepted, users offline, /s", 1.0, "accept"),
    figure("accept.cpuMicros", "… server CPU each, µs", 1.0),
    figure("accept.rssBytes", "… server memory after it, MiB", 1.0 / 1_048_576.0),
    plotted("replay.perSecond", "replay when they connect, /s", 1.0, "replay"),
    figure("replay.cpuMicros", "… server CPU each, µs", 1.0),
    plotted("connections.perSecond", "connections, /s", 1.0, "connections"),
    figure("connections.p99Micros", "… until ready, 512 at a time, p99, ms", 1e-3),
    figure("connections.cpuMicros", "… server CPU each, µs", 1.0),
    plotted("connections.bytesEach", "memory of an idle connection, bytes", 1.0, "idle"),
    figure("crowd.bytesEach", "… of very many, bytes", 1.0),
    figure(
        "allRead.typicalP99Micros",
        "p99 of a typical ¼ s while a user gets 8 MB/s and reads it, ms",
        1e-3,
    ),
    plotted(
        "oneStuck.typicalP99Micros",
        "p99 of a typical ¼ s while a user gets 8 MB/s and does not read it, ms",
        1e-3,
        "stuck-p99",
    ),
    figure("allRead.p99Micros", "p99 while a user gets 8 MB/s and reads it, ms", 1e-3),
    figure("oneStuck.p99Micros", "… and does not read it, ms", 1e-3),
    figure("crash.expected", "accepted before kill -9", 1.0),
    figure("crash.lost", "… lost", 1.0),
    figure("crash.duplicates", "… came twice", 1.0),
    figure("crash.reordered", "… came out of order", 1.0),
    figure("crash.restartSeconds", "… ready again after, s", 1.0),
    figure("interrupted.lost", "dropped in mid-replay: lost", 1.0),
    figure("interrupted.usersOutOfOrder", "… users with something out of order, of 100", 1.0),
    figure("interrupted.duplicates", "… came twice", 1.0),
    figure("interrupted.seconds", "… last one after, s", 1.0),
    figure("held.expected", "held for one user", 1.0),
    figure("held.lost", "… lost", 1.0),
    figure("held.reordered", "… out of order", 1.0),
    figure("held.seconds", "… all there after, s", 1.0),
];
