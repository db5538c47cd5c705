//! What figures are called and measured in.

use crate::curves::Curve;

const MIB: f64 = 1.0 / 1_048_576.0;
const MB: f64 = 1e-6;

/// A column of a curve's table.
pub(crate) struct Figure {
    pub(crate) key: &'static str,
    pub(crate) label: &'static str,
    /// The figure is multiplied by it to be in the label's unit.
    pub(crate) factor: f64,
    /// Whether it is of one unit of the input, or should not depend on it, so that it must not grow.
    pub(crate) is_flat: bool,
}

const fn figure(key: &'static str, label: &'static str, factor: f64) -> Figure {
    Figure { key, label, factor, is_flat: false }
}

const fn flat(key: &'static str, label: &'static str, factor: f64) -> Figure {
    Figure { key, label, factor, is_flat: true }
}

/// What a curve is about.
pub(crate) struct About {
    pub(crate) title: &'static str,
    /// What its input is.
    pub(crate) input: &'static str,
    pub(crate) figures: &'static [Figure],
}

const USERS: &[Figure] = &[
    flat("accept.cpuMicros", "accept, µs", 1.0),
    figure("accept.perSecond", "accept, /s", 1.0),
    figure("accept.rssBytes", "RSS then, MiB", MIB),
    flat("replay.cpuMicros", "replay, µs", 1.0),
    figure("replay.perSecond", "replay, /s", 1.0),
    flat("connection.cpuMicrosEach", "connection, µs", 1.0),
    flat("online.cpuMicros", "online, µs", 1.0),
    figure("online.perSecond", "online, /s", 1.0),
    figure("online.rssBytes", "RSS then, MiB", MIB),
];

const BACKLOG: &[Figure] = &[
    flat("accept.cpuMicros", "accept, µs", 1.0),
    figure("accept.perSecond", "accept, /s", 1.0),
    figure("accept.rssBytes", "RSS then, MiB", MIB),
    flat("replay.cpuMicros", "replay, µs", 1.0),
    figure("replay.perSecond", "replay, /s", 1.0),
    figure("replay.rssBytes", "RSS then, MiB", MIB),
];

const STORED: &[Figure] = &[
    flat("fill.cpuMicros", "stored, µs", 1.0),
    figure("fill.perSecond", "stored, /s", 1.0),
    flat("fill.rssBytes", "RSS then, MiB", MIB),
    figure("stored.diskBytes", "on disk, MB", MB),
    flat("stored.diskPerPayload", "… to payloads", 1.0),
    flat("killed.readySeconds", "ready after kill -9, s", 1.0),
    flat("stopped.readySeconds", "ready after a stop, s", 1.0),
    figure("stopped.countedSeconds", "held counted, s", 1.0),
    flat("stopped.rssBytes", "RSS then, MiB", MIB),
    flat("accept.cpuMicros", "others: accept, µs", 1.0),
    figure("accept.perSecond", "… /s", 1.0),
    flat("replay.cpuMicros", "others: replay, µs", 1.0),
    flat("online.cpuMicros", "others: online, µs", 1.0),
    figure("online.perSecond", "… /s", 1.0),
    flat("deliver.cpuMicros", "delivered, µs", 1.0),
    figure("deliver.perSecond", "delivered, /s", 1.0),
    flat("deliver.rssBytes", "RSS then, MiB", MIB),
    figure("delivered.diskBytes", "on disk then, MB", MB),
    figure("idle.diskBytes", "… 5 s later, MB", MB),
    figure("afterwards.diskBytes", "… after more online, MB", MB),
    figure("restarted.diskBytes", "… after a restart, MB", MB),
];

const PAYLOAD: &[Figure] = &[
    flat("accept.cpuMicrosPerKib", "accept, µs/KiB", 1.0),
    figure("accept.cpuMicros", "accept, µs", 1.0),
    figure("accept.perSecond", "accept, /s", 1.0),
    figure("accept.bytesPerSecond", "… MB/s", MB),
    flat("replay.cpuMicrosPerKib", "replay, µs/KiB", 1.0),
    figure("replay.cpuMicros", "replay, µs", 1.0),
    figure("replay.perSecond", "replay, /s", 1.0),
    flat("online.cpuMicrosPerKib", "online, µs/KiB", 1.0),
    figure("online.cpuMicros", "online, µs", 1.0),
    figure("online.perSecond", "online, /s", 1.0),
    figure("online.bytesPerSecond", "… MB/s", MB),
    figure("online.rssBytes", "RSS then, MiB", MIB),
];

const DEVICES: &[Figure] = &[
    flat("online.cpuMicrosPerPush", "a push, µs", 1.0),
    figure("online.cpuMicros", "a notification, µs", 1.0),
    figure("online.perSecond", "notifications, /s", 1.0),
    figure("online.rssBytes", "RSS then, MiB", MIB),
];

const HUB: &[Figure] = &[
    flat("connected.cpuMicros", "a connected member, µs", 1.0),
    figure("connected.perSecond", "members, /s", 1.0),
    figure("connected.rssBytes", "RSS then, MiB", MIB),
    flat("away.cpuMicros", "a member who is away, µs", 1.0),
    figure("away.perSecond", "members, /s", 1.0),
    figure("away.rssBytes", "RSS then, MiB", MIB),
];

/// What there is to say of a curve.
pub(crate) const fn about(curve: Curve) -> About {
    let (title, input, figures) = match curve {
        Curve::Users => ("Users", "users", USERS),
        Curve::Backlog => ("Backlog of a user", "held for each", BACKLOG),
        Curve::Stored => ("Stored in all", "held on disk", STORED),
        Curve::Payload => ("Payload", "bytes", PAYLOAD),
        Curve::Devices => ("Devices of a user", "devices", DEVICES),
        Curve::Hub => ("Members of a hub", "members", HUB),
    };
    About { title, input, figures }
}
