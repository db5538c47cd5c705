//! Memory of connections on which nothing happens.

use std::time::Duration;

use bench_load::{Latency, RunId, Sockets, Target};
use shared_telemetry::process::usage;

use super::report::{Meter, Report};
use super::{Load, world};

/// After that long the server has done what connecting entails.
const SETTLE: Duration = Duration::from_secs(2);
/// Connections made and dropped first, so that what the server sets up once is not counted.
const WARM_UP: u32 = 50;

pub(super) async fn run(target: &Target, load: &Load) -> anyhow::Result<Report> {
    anyhow::ensure!(
        usage(target.pid).is_some(),
        "to measure memory the server must run on this machine: say which process it is with --pid"
    );
    let warm = Load { users: WARM_UP, connections: WARM_UP, ..load.clone() };
    let run = RunId::new();
    let mut sockets = Sockets::new(&run);
    world::open(&mut sockets, target, &run, &warm).await?;
    drop(sockets);
    tokio::time::sleep(SETTLE).await;

    let meter = Meter::start(target.pid);
    let before = meter.rss_bytes().unwrap_or(0);
    let run = RunId::new();
    // Each connection is another user's, which is what costs most.
    let load = Load { users: load.connections, ..load.clone() };
    let mut sockets = Sockets::new(&run);
    let (handshakes, _) = world::open(&mut sockets, target, &run, &load).await?;
    tokio::time::sleep(SETTLE).await;
    let after = usage(target.pid).map_or(0, |usage| usage.rss_bytes);
    let mut report = Report {
        mode: "idle",
        connections: load.connections,
        connections_lost: Some(sockets.tally.borrow().connections_lost),
        handshake_micros: Latency::of(&handshakes),
        bytes_per_connection: Some(after.saturating_sub(before) / u64::from(load.connections.max(1))),
        ..Report::default()
    };
    meter.stop(None, &mut report);
    Ok(report)
}
