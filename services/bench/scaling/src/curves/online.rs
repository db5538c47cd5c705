//! Notifications to users who are connected.

use std::time::Duration;

use bench_kit::{Entry, Figures, tidings};
use bench_load::message::now;
use bench_load::{Pace, Run, Sockets, Tally, Window};

use crate::world::World;

/// The server may still be at work on what connecting entails.
const SETTLE: Duration = Duration::from_millis(200);
/// Threads that send, and most notifications in a request.
const PRODUCERS: (u32, u32) = (4, 100);
/// Most notifications on their way to each user, and to all.
const WINDOW_EACH: u64 = 20;
const WINDOW: u64 = 20_000;
/// Most bytes of them.
const WINDOW_BYTES: u64 = 32 * 1024 * 1024;
/// Sending ends after that long, however much it was.
const LONGEST: Duration = Duration::from_secs(30);
/// When nothing came for that long no more will.
pub(super) const QUIET: Duration = Duration::from_secs(5);

/// How much.
pub(super) struct Online {
    pub(super) users: u32,
    /// Connections of each.
    pub(super) devices: u32,
    /// Notifications to each.
    pub(super) messages: u32,
    pub(super) payload_bytes: usize,
}

/// Sends as many at a time as are allowed to be on their way, and enters what they cost.
pub(super) async fn run(
    world: &World,
    load: &Online,
    under: &str,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let run = Run::new();
    let bytes = u64::try_from(load.payload_bytes).unwrap_or(u64::MAX).max(1);
    let room = (u64::from(load.users) * WINDOW_EACH).min(WINDOW).min(WINDOW_BYTES / bytes).max(1);
    let window = Window::of_copies(room, load.devices.into());
    let mut sockets = Sockets::with_tally(&run, Tally::with_arrivals(window.arrivals.clone()));
    let connections: Vec<u32> = (0..load.devices).flat_map(|_| 0..load.users).collect();
    tidings::open(&mut sockets, &connections, async |wave| world.doors(&run, wave).await).await?;
    tokio::time::sleep(SETTLE).await;

    let (before, began) = (world.usage(), now());
    let (producers, batch) = PRODUCERS;
    let pace = Pace {
        users: load.users,
        producers,
        batch,
        messages: Some(load.messages),
        duration: Some(LONGEST),
        rate: None,
        first_number: 0,
        window: Some(window),
    };
    let sent = world.send(&run, pace, load.payload_bytes).await?;
    let expected = sent.accepted * u64::from(load.devices);
    sockets.drain(expected, QUIET).await;
    let after = world.usage();
    let tally = sockets.tally.borrow();
    let took = Duration::from_nanos(tally.last.saturating_sub(began)).as_secs_f64().max(f64::EPSILON);
    let mut entry = Entry { figures, under };
    entry.add("perSecond", sent.accepted as f64 / took);
    entry.add("bytesPerSecond", sent.accepted as f64 * bytes as f64 / took);
    entry.cpu(before.cpu, after.cpu, sent.accepted);
    entry.add("rssBytes", after.rss_bytes as f64);
    entry.soundness(expected, &tally);
    Ok(())
}
