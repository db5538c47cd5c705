//! Many connections at once, and what they take when nothing happens.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::ensure;
use bench_load::{Door, Handshake, Latency, Run, Sockets};

use super::{Entry, Figures};
use crate::world::World;
use bench_kit::limits::open_files;

/// After that long the server has done what connecting entails.
const SETTLE: Duration = Duration::from_secs(1);
/// Connections made and dropped first, so that what the server sets up once is not counted.
const WARM_UP: u32 = 50;
/// Connections from one address: it has some 28,000 ports.
const FROM_ONE_ADDRESS: u32 = 20_000;
/// Files open besides connections.
const OTHER_FILES: u64 = 64;

pub(super) async fn run(world: &World, connections: u32, under: &str) -> anyhow::Result<Figures> {
    let (needed, allowed) = (u64::from(connections) + OTHER_FILES, open_files()?);
    ensure!(
        allowed >= needed,
        "{connections} connections take {needed} open files, and {allowed} are allowed"
    );
    let warm = Run::new();
    let mut sockets = Sockets::new(&warm);
    world.open(&mut sockets, &warm, WARM_UP, |_, door| door).await?;
    drop(sockets);
    tokio::time::sleep(SETTLE).await;

    let before = world.usage();
    let run = Run::new();
    let mut sockets = Sockets::new(&run);
    let (handshakes, took) = world.open(&mut sockets, &run, connections, from).await?;
    let opened = world.usage();
    tokio::time::sleep(SETTLE).await;
    let after = world.usage();
    let mut figures = Figures::new();
    let mut entry = Entry { figures: &mut figures, under };
    entry.add("perSecond", f64::from(connections) / took.as_secs_f64().max(f64::EPSILON));
    entry.cpu(before.cpu, opened.cpu, connections.into());
    entry.latency(Latency::of(&handshakes));
    entry.add("bytesEach", after.rss_bytes.saturating_sub(before.rss_bytes) as f64 / f64::from(connections));
    entry.add("connectionsLost", sockets.tally.borrow().lost as f64);
    Ok(figures)
}

/// The first have any address; the others each their block's.
fn from(user: u32, door: Door) -> Door {
    let source = match user / FROM_ONE_ADDRESS {
        0 => None,
        block => Some(IpAddr::V4(Ipv4Addr::from(u32::from(Ipv4Addr::LOCALHOST) + block))),
    };
    Door { handshake: Handshake { source, ..door.handshake }, ..door }
}
