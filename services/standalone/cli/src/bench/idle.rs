//! Measures the memory of idle connections.

use std::time::Duration;

use bench_load::{Latency, RunId, Sockets, Target};
use shared_telemetry::process::usage;

use super::report::{Meter, Report};
use super::{Load, traffic};

/// Time after which the server has finished its work for new connections.
const SETTLE: Duration = Duration::from_secs(2);
/// Connections opened and dropped first, so that the server's one-time allocations are not counted.
const WARM_UP: u32 = 50;

pub(super) async fn run(target: &Target, load: &Load) -> anyhow::Result<Report> {
    anyhow::ensure!(
        usage(target.pid).is_some(),
        "no memory usage of the server; run it on this machine and pass its process id with --pid"
    );
    let warm = Load { users: WARM_UP, connections: WARM_UP, ..load.clone() };
    let run = RunId::new();
    let mut sockets = Sockets::new(&run);
    traffic::open(&mut sockets, target, &run, &warm).await?;
    drop(sockets);
    tokio::time::sleep(SETTLE).await;

    let meter = Meter::start(target.pid);
    let before = meter.rss_bytes().unwrap_or(0);
    let run = RunId::new();
    // Each connection has its own user, which takes the most memory.
    let load = Load { users: load.connections, ..load.clone() };
    let mut sockets = Sockets::new(&run);
    let (handshakes, _) = traffic::open(&mut sockets, target, &run, &load).await?;
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
