//! Measures handshakes.

use bench_load::{Latency, RunId, Sockets, Target};

use super::report::{Meter, Report, per_second};
use super::{Load, traffic};

pub(super) async fn run(target: &Target, load: &Load) -> anyhow::Result<Report> {
    let run = RunId::new();
    let load = Load { users: load.connections, ..load.clone() };
    let meter = Meter::start(target.pid);
    let mut sockets = Sockets::new(&run);
    let (handshakes, took) = traffic::open(&mut sockets, target, &run, &load).await?;
    let mut report = Report {
        mode: "connect",
        connections: load.connections,
        connections_lost: Some(sockets.tally.borrow().connections_lost),
        connects_per_second: per_second(load.connections.into(), took),
        handshake_micros: Latency::of(&handshakes),
        ..Report::default()
    };
    meter.stop(None, &mut report);
    Ok(report)
}
