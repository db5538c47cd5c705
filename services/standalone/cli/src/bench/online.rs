//! Measures notifications to connected users.

use std::time::Duration;

use bench_load::clock::now;
use bench_load::{Latency, RunId, Sockets, Target};

use super::report::{Meter, Report};
use super::{Load, traffic};

pub(super) async fn run(target: &Target, load: &Load) -> anyhow::Result<Report> {
    let run = RunId::new();
    let mut sockets = Sockets::new(&run);
    traffic::open(&mut sockets, target, &run, load).await?;
    // Lets the server finish its work for new connections.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let meter = Meter::start(target.pid);
    let began = now();
    let sent = traffic::send(target, &run, load).await?;
    let expected = sent.deliveries(load.connections);
    sockets.wait_for(expected, load.quiet).await;
    let tally = sockets.tally.borrow();
    let mut report = Report {
        delivery_micros: Latency::of(&tally.latency),
        ..Report::of_deliveries("online", load, &sent, &tally, (expected, began))
    };
    meter.stop(Some(tally.received), &mut report);
    Ok(report)
}
