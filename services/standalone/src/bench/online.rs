//! Notifications to users who are connected.

use std::time::Duration;

use super::message::{Run, now};
use super::producer;
use super::report::{Latency, Meter, Report};
use super::sockets::Sockets;
use super::{Load, Target};

pub(super) async fn run(target: &Target, load: &Load) -> anyhow::Result<Report> {
    let run = Run::new();
    let mut sockets = Sockets::new(&run, load);
    sockets.open(target, &run, load).await?;
    // The server may still be at work on what connecting entails.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let meter = Meter::start(target.pid);
    let began = now();
    let sent = producer::send(target, &run, load).await?;
    let expected = sent.deliveries(load);
    sockets.drain(expected, load.quiet).await;
    let tally = sockets.tally.borrow();
    let mut report = Report {
        delivery_micros: Latency::of(&tally.latency),
        ..Report::of_deliveries("online", load, &sent, &tally, (expected, began))
    };
    meter.stop(Some(tally.received), &mut report);
    Ok(report)
}
