//! Notifications to users who are not connected, and their replay when they are.

use std::time::Duration;

use bench_kit::tidings::AT_ONCE;
use bench_load::message::now;
use bench_load::{Latency, Run, Sockets};

use super::{Entry, Figures, Scale, quiet};
use crate::world::World;

pub(super) async fn run(world: &World, scale: &Scale) -> anyhow::Result<Figures> {
    let run = Run::new();
    world.prepare(&run, scale.users).await?;
    let mut figures = Figures::new();
    let before = world.usage();
    let pace = Scale::burst(scale.users, scale.held, world.system.offline_producers());
    let sent = world.send(&run, pace).await?;
    let held = world.usage();
    let mut entry = Entry { figures: &mut figures, under: "accept" };
    entry.add("perSecond", sent.accepted as f64 / sent.took.as_secs_f64().max(f64::EPSILON));
    entry.cpu(before.cpu, held.cpu, sent.accepted);
    entry.add("rssBytes", held.rss_bytes as f64);
    entry.add("count", sent.accepted as f64);

    // All doors are got before the clock starts.
    let doors = world.doors(&run, &(0..scale.users).collect::<Vec<_>>()).await?;
    let mut sockets = Sockets::new(&run);
    sockets.at_once = AT_ONCE;
    let mut times = Sockets::times();
    let (before, began) = (world.usage(), now());
    sockets.open(doors, &mut times).await?;
    sockets.drain(sent.accepted, quiet(world.system)).await;
    let after = world.usage();
    let tally = sockets.tally.borrow();
    let took = Duration::from_nanos(tally.last.saturating_sub(began));
    let mut entry = Entry { figures: &mut figures, under: "replay" };
    entry.add("perSecond", tally.received as f64 / took.as_secs_f64().max(f64::EPSILON));
    entry.cpu(before.cpu, after.cpu, tally.received);
    if let Some(latency) = Latency::of(&times) {
        entry.add("handshakeP99Micros", latency.p99 as f64);
    }
    entry.soundness(sent.accepted, &tally);
    Ok(figures)
}
