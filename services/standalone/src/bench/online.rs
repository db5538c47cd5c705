//! Notifications to users who are connected.

use std::time::Duration;

use super::message::{Run, now};
use super::producer;
use super::report::{Latency, Meter, Report, per_second};
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
        mode: "online",
        users: load.users,
        connections: load.connections,
        accepted: Some(sent.accepted),
        accepted_per_second: per_second(sent.accepted, sent.took),
        failed: Some(sent.failed),
        delivered: Some(tally.received),
        delivered_per_second: per_second(
            tally.received,
            Duration::from_nanos(tally.last.saturating_sub(began)),
        ),
        lost: Some(expected.saturating_sub(tally.received)),
        duplicates: Some(tally.duplicates),
        reordered: Some(tally.reordered),
        connections_lost: Some(tally.lost),
        delivery_micros: Latency::of(&tally.latency),
        request_micros: Latency::of(&sent.requests),
        lateness_micros: load.rate.and_then(|_| Latency::of(&sent.lateness)),
        ..Report::default()
    };
    meter.stop(Some(tally.received), &mut report);
    Ok(report)
}
