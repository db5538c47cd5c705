//! Notifications to users who are not connected, and their replay when they connect.

use bench_load::clock::now;
use bench_load::{Latency, RunId, Sockets, Target};

use super::report::{Meter, Report};
use super::{Load, world};

pub(super) async fn run(target: &Target, load: &Load) -> anyhow::Result<Report> {
    let run = RunId::new();
    let meter = Meter::start(target.pid);
    let sent = world::send(target, &run, load).await?;
    // Each user's notifications are held until its first device comes.
    let load = Load { connections: load.connections.min(load.users), ..load.clone() };
    let mut sockets = Sockets::new(&run);
    let began = now();
    let (handshakes, _) = world::open(&mut sockets, target, &run, &load).await?;
    let expected = sent.deliveries(load.connections);
    sockets.wait_for(expected, load.quiet).await;
    let tally = sockets.tally.borrow();
    let mut report = Report {
        handshake_micros: Latency::of(&handshakes),
        ..Report::of_deliveries("offline", &load, &sent, &tally, (expected, began))
    };
    meter.stop(Some(tally.received), &mut report);
    Ok(report)
}
