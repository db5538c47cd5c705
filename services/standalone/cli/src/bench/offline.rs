//! Measures notifications to offline users, and their replay when the users connect.

use bench_load::clock::now;
use bench_load::{Latency, RunId, Sockets, Target};

use super::report::{Meter, Report};
use super::{Load, traffic};

pub(super) async fn run(target: &Target, load: &Load) -> anyhow::Result<Report> {
    let run = RunId::new();
    let meter = Meter::start(target.pid);
    let sent = traffic::send(target, &run, load).await?;
    // The first device of a user gets the held notifications, so further ones are not opened.
    let load = Load { connections: load.connections.min(load.users), ..load.clone() };
    let mut sockets = Sockets::new(&run);
    let began = now();
    let (handshakes, _) = traffic::open(&mut sockets, target, &run, &load).await?;
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
