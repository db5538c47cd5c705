//! Notifications to users who are not connected, and their replay when they are.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::ensure;
use bench_kit::tidings::WAVE;
use bench_kit::{Entry, Figures, tidings};
use bench_load::message::now;
use bench_load::{Pace, Run, Sent, Sockets, Tally};

use super::online::QUIET;
use crate::world::World;

/// Threads that send, and most notifications in a request.
const PRODUCERS: (u32, u32) = (2, 1_000);
/// The server may still be at work on what a connection's end entails.
const SETTLE: Duration = Duration::from_millis(200);

/// How much.
pub(super) struct Held {
    pub(super) users: u32,
    /// Notifications to each.
    pub(super) messages: u32,
    pub(super) payload_bytes: usize,
}

/// Sends as fast as they are accepted, waits until all are held, and enters what they cost.
pub(super) async fn accept(
    world: &World,
    run: &Run,
    held: &Held,
    under: &str,
    figures: &mut Figures,
) -> anyhow::Result<Sent> {
    let before = world.usage();
    let (producers, batch) = PRODUCERS;
    let pace = Pace {
        users: held.users,
        producers,
        batch,
        messages: Some(held.messages),
        duration: None,
        rate: None,
        first_number: 0,
        window: None,
    };
    let sent = world.send(run, pace, held.payload_bytes).await?;
    world.settled().await?;
    let after = world.usage();
    ensure!(sent.failed == 0, "{} were refused for now", sent.failed);
    let took = sent.took.as_secs_f64().max(f64::EPSILON);
    let mut entry = Entry { figures, under };
    entry.add("perSecond", sent.accepted as f64 / took);
    entry.add("bytesPerSecond", sent.accepted as f64 * held.payload_bytes as f64 / took);
    entry.cpu(before.cpu, after.cpu, sent.accepted);
    entry.add("rssBytes", after.rss_bytes as f64);
    Ok(sent)
}

/// What a connection costs the server that is opened and gets nothing: that is taken off the replay's cost, where each
/// user has one. In microseconds.
pub(super) async fn connection_micros(
    world: &World,
    connections: u32,
    figures: &mut Figures,
) -> anyhow::Result<f64> {
    let run = Run::new();
    let mut cpu = Duration::ZERO;
    let users: Vec<u32> = (0..connections).collect();
    for wave in users.chunks(WAVE) {
        let doors = world.doors(&run, wave).await?;
        let mut sockets = Sockets::new(&run);
        sockets.at_once = tidings::AT_ONCE;
        let before = world.usage();
        sockets.open(doors, &mut Sockets::times()).await?;
        tokio::time::sleep(SETTLE).await;
        cpu += world.usage().cpu.saturating_sub(before.cpu);
    }
    let micros = cpu.as_secs_f64() * 1e6 / f64::from(connections.max(1));
    Entry { figures, under: "connection" }.add("cpuMicrosEach", micros);
    Ok(micros)
}

/// Has all users connect, some at a time, until each has what is held for it; enters what that costs without their
/// connections.
pub(super) async fn replay(
    world: &World,
    run: &Run,
    sent: &Sent,
    connection_micros: f64,
    under: &str,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let tally = Tally::new();
    let users: Vec<u32> = (0..).zip(&sent.per_user).map(|(user, _)| user).collect();
    let (mut cpu, mut nanos, mut expected) = (Duration::ZERO, 0, 0);
    for wave in users.chunks(WAVE) {
        // Tokens are got before the clock starts.
        let doors = world.doors(run, wave).await?;
        tokio::time::sleep(if users.len() > WAVE { Duration::ZERO } else { SETTLE }).await;
        expected += wave.iter().map(|user| u64::from(sent.per_user[*user as usize])).sum::<u64>();
        let mut sockets = Sockets::with_tally(run, Rc::<RefCell<Tally>>::clone(&tally));
        sockets.at_once = tidings::AT_ONCE;
        let (before, began) = (world.usage(), now());
        sockets.open(doors, &mut Sockets::times()).await?;
        sockets.drain(expected, QUIET).await;
        cpu += world.usage().cpu.saturating_sub(before.cpu);
        nanos += tally.borrow().last.saturating_sub(began);
    }
    let tally = tally.borrow();
    let connecting = Duration::from_secs_f64(connection_micros * users.len() as f64 / 1e6);
    let took = Duration::from_nanos(nanos).as_secs_f64().max(f64::EPSILON);
    let mut entry = Entry { figures, under };
    entry.add("perSecond", tally.received as f64 / took);
    entry.cpu(connecting.min(cpu), cpu, tally.received);
    entry.add("rssBytes", world.usage().rss_bytes as f64);
    entry.soundness(expected, &tally);
    Ok(())
}

/// All three, one after the other.
pub(super) async fn run(
    world: &World,
    held: &Held,
    connections: u32,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let run = Run::new();
    let sent = accept(world, &run, held, "accept", figures).await?;
    let micros = connection_micros(world, connections, figures).await?;
    replay(world, &run, &sent, micros, "replay", figures).await
}
