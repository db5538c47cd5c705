//! Notifications to users who are not connected, and their replay when they connect.

use super::message::{Run, now};
use super::producer;
use super::report::{Latency, Meter, Report};
use super::sockets::Sockets;
use super::{Load, Target};

pub(super) async fn run(target: &Target, load: &Load) -> anyhow::Result<Report> {
    let run = Run::new();
    let meter = Meter::start(target.pid);
    let sent = producer::send(target, &run, load).await?;
    // Each user's notifications are held until its first device comes.
    let load = Load { connections: load.connections.min(load.users), ..load.clone() };
    let mut sockets = Sockets::new(&run, &load);
    let began = now();
    let (handshakes, _) = sockets.open(target, &run, &load).await?;
    let expected = sent.deliveries(&load);
    sockets.drain(expected, load.quiet).await;
    let tally = sockets.tally.borrow();
    let mut report = Report {
        handshake_micros: Latency::of(&handshakes),
        ..Report::of_deliveries("offline", &load, &sent, &tally, (expected, began))
    };
    meter.stop(Some(tally.received), &mut report);
    Ok(report)
}
