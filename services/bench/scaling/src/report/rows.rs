//! The rows of each sweep's table: labels and units.

use crate::sweep::Sweep;

/// Bytes to MiB.
const MIB: f64 = 1.0 / 1_048_576.0;
/// Bytes to MB.
const MB: f64 = 1e-6;

/// A row of a sweep's table.
pub(super) struct Row {
    /// Name of the metric.
    pub(super) metric: &'static str,
    /// Label. One that begins with `…` continues the row above, and is not for a row of the table of growth.
    pub(super) label: &'static str,
    /// Factor that converts the metric to the label's unit.
    pub(super) factor: f64,
    /// True if the metric must not grow: it is for one unit of the input, or should not depend on the input.
    pub(super) must_be_flat: bool,
}

const fn row(metric: &'static str, label: &'static str, factor: f64) -> Row {
    Row { metric, label, factor, must_be_flat: false }
}

const fn flat(metric: &'static str, label: &'static str, factor: f64) -> Row {
    Row { metric, label, factor, must_be_flat: true }
}

/// The table of a sweep.
pub(super) struct SweepTable {
    pub(super) title: &'static str,
    /// Heading of the inputs.
    pub(super) input: &'static str,
    pub(super) rows: &'static [Row],
}

const USERS: &[Row] = &[
    flat("accept.cpuMicros", "accept, µs", 1.0),
    row("accept.perSecond", "accept, /s", 1.0),
    row("accept.rssBytes", "memory after accepting, MiB", MIB),
    flat("replay.cpuMicros", "replay, µs", 1.0),
    row("replay.perSecond", "replay, /s", 1.0),
    flat("connection.cpuMicrosEach", "connection, µs", 1.0),
    flat("online.cpuMicros", "online, µs", 1.0),
    row("online.perSecond", "online, /s", 1.0),
    row("online.rssBytes", "memory after online, MiB", MIB),
];

const BACKLOG: &[Row] = &[
    flat("accept.cpuMicros", "accept, µs", 1.0),
    row("accept.perSecond", "accept, /s", 1.0),
    row("accept.rssBytes", "memory after accepting, MiB", MIB),
    flat("replay.cpuMicros", "replay, µs", 1.0),
    row("replay.perSecond", "replay, /s", 1.0),
    row("replay.rssBytes", "memory after the replay, MiB", MIB),
];

const STORED: &[Row] = &[
    flat("fill.cpuMicros", "stored, µs", 1.0),
    row("fill.perSecond", "stored, /s", 1.0),
    flat("fill.rssBytes", "memory after storing, MiB", MIB),
    row("stored.diskBytes", "on disk, MB", MB),
    flat("stored.diskPerPayload", "on disk for each byte of payload", 1.0),
    flat("killed.readySeconds", "ready after kill -9, s", 1.0),
    flat("stopped.readySeconds", "ready after a stop, s", 1.0),
    row("stopped.countedSeconds", "held notifications counted, s", 1.0),
    flat("stopped.rssBytes", "memory after the restart, MiB", MIB),
    flat("accept.cpuMicros", "others: accept, µs", 1.0),
    row("accept.perSecond", "… /s", 1.0),
    flat("replay.cpuMicros", "others: replay, µs", 1.0),
    flat("online.cpuMicros", "others: online, µs", 1.0),
    row("online.perSecond", "… /s", 1.0),
    flat("deliver.cpuMicros", "delivered, µs", 1.0),
    row("deliver.perSecond", "delivered, /s", 1.0),
    flat("deliver.rssBytes", "memory after delivery, MiB", MIB),
    row("delivered.diskBytes", "on disk after delivery, MB", MB),
    row("idle.diskBytes", "… 5 s later, MB", MB),
    row("afterwards.diskBytes", "… after more online, MB", MB),
    row("restarted.diskBytes", "… after a restart, MB", MB),
];

const PAYLOAD: &[Row] = &[
    flat("accept.cpuMicrosPerKib", "accept, µs/KiB", 1.0),
    row("accept.cpuMicros", "accept, µs", 1.0),
    row("accept.perSecond", "accept, /s", 1.0),
    row("accept.bytesPerSecond", "… MB/s", MB),
    flat("replay.cpuMicrosPerKib", "replay, µs/KiB", 1.0),
    row("replay.cpuMicros", "replay, µs", 1.0),
    row("replay.perSecond", "replay, /s", 1.0),
    flat("online.cpuMicrosPerKib", "online, µs/KiB", 1.0),
    row("online.cpuMicros", "online, µs", 1.0),
    row("online.perSecond", "online, /s", 1.0),
    row("online.bytesPerSecond", "… MB/s", MB),
    row("online.rssBytes", "memory after online, MiB", MIB),
];

const DEVICES: &[Row] = &[
    flat("online.cpuMicrosPerPush", "a push, µs", 1.0),
    row("online.cpuMicros", "a notification, µs", 1.0),
    row("online.perSecond", "notifications, /s", 1.0),
    row("online.rssBytes", "memory after online, MiB", MIB),
];

const HUB: &[Row] = &[
    flat("connected.cpuMicros", "a member, all connected, µs", 1.0),
    row("connected.perSecond", "… /s", 1.0),
    row("connected.rssBytes", "… memory afterwards, MiB", MIB),
    flat("away.cpuMicros", "a member, five connected, µs", 1.0),
    row("away.perSecond", "… /s", 1.0),
    row("away.rssBytes", "… memory afterwards, MiB", MIB),
];

/// Returns the table of a sweep.
pub(super) const fn sweep_table(sweep: Sweep) -> SweepTable {
    let (title, input, rows) = match sweep {
        Sweep::Users => ("Users", "users", USERS),
        Sweep::Backlog => ("Backlog of a user", "held for each user", BACKLOG),
        Sweep::Stored => ("Stored notifications", "held on disk", STORED),
        Sweep::Payload => ("Payload", "bytes", PAYLOAD),
        Sweep::Devices => ("Devices of a user", "devices", DEVICES),
        Sweep::Hub => ("Members of a hub", "members", HUB),
    };
    SweepTable { title, input, rows }
}
