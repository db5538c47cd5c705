//! More on disk in all, for users who are away, while others are served; and what is left when all is delivered.

use std::time::{Duration, Instant};

use bench_kit::{Entry, Figures};
use bench_load::Run;

use super::offline::{self, Held};
use super::online::{self, Online};
use super::{Point, each};
use crate::scale::Scale;
use crate::world::{End, World};

/// Users who are served meanwhile.
const OTHERS: u32 = 1_000;
/// After that long without work whoever gives space back by itself has done so.
const IDLE: Duration = Duration::from_secs(5);

pub(super) async fn run(world: &mut World, stored: u32, scale: &Scale) -> anyhow::Result<Point> {
    let mut point = Point::default();
    let figures = &mut point.figures;
    let users = each(stored, scale.stored_each);
    let run = Run::new();
    let held = Held { users, messages: each(stored, users), payload_bytes: scale.stored_bytes };
    let sent = offline::accept(world, &run, &held, "fill", figures).await?;
    let payload = sent.accepted as f64 * scale.stored_bytes as f64;
    let mut entry = Entry { figures, under: "stored" };
    entry.add("expected", sent.accepted as f64);
    entry.add("payloadBytes", payload);
    let disk = world.disk_bytes()? as f64;
    entry.add("diskBytes", disk);
    entry.add("diskPerPayload", disk / payload);

    start(world, End::Kill, "killed", sent.accepted, figures).await?;
    start(world, End::Stop, "stopped", sent.accepted, figures).await?;

    let messages = each(scale.stored_others / 2, OTHERS);
    let others = Held { users: OTHERS, messages, payload_bytes: scale.payload_bytes };
    offline::run(world, &others, scale.connections, figures).await?;
    let load = Online { users: OTHERS, devices: 1, messages, payload_bytes: scale.payload_bytes };
    online::run(world, &load, "online", figures).await?;

    let micros = offline::connection_micros(world, scale.connections, figures).await?;
    offline::replay(world, &run, &sent, micros, "deliver", figures).await?;
    space(world, "delivered", figures)?;
    tokio::time::sleep(IDLE).await;
    space(world, "idle", figures)?;
    online::run(world, &load, "afterwards", figures).await?;
    space(world, "afterwards", figures)?;
    world.restart(End::Stop)?;
    tokio::time::sleep(IDLE).await;
    space(world, "restarted", figures)?;
    Ok(point)
}

/// Ends the server and starts it again: how long until it is ready, and until it knows how many are held.
async fn start(
    world: &mut World,
    end: End,
    under: &str,
    expected: u64,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let began = Instant::now();
    let ready = world.restart(end)?;
    let down = began.elapsed().saturating_sub(ready);
    let cpu = world.usage().cpu;
    let second = world.counted().await?;
    let counted = began.elapsed().saturating_sub(down);
    let mut entry = Entry { figures, under };
    entry.add("readySeconds", ready.as_secs_f64());
    entry.add("readyCpuSeconds", cpu.as_secs_f64());
    entry.add("endSeconds", down.as_secs_f64());
    entry.add("countedSeconds", counted.as_secs_f64());
    entry.add("rssBytes", world.usage().rss_bytes as f64);
    entry.add("diskBytes", world.disk_bytes()? as f64);
    let held = second.mailbox.unwrap_or(0);
    // What is held is known; a difference is a fault of the count.
    entry.add("lost", expected.abs_diff(held) as f64);
    Ok(())
}

fn space(world: &World, under: &str, figures: &mut Figures) -> anyhow::Result<()> {
    let (disk, rss) = (world.disk_bytes()? as f64, world.usage().rss_bytes as f64);
    let mut entry = Entry { figures, under };
    entry.add("diskBytes", disk);
    entry.add("rssBytes", rss);
    Ok(())
}
