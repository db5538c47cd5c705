//! Many connections at once, and their memory while nothing happens.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::ensure;
use bench_kit::{Metrics, Recorder, open_files};
use bench_load::{Handshake, Latency, Receiver, RunId, Sockets, histogram};

use crate::server::Server;

/// Time that the server gets to finish the work of new connections.
const SETTLE: Duration = Duration::from_secs(1);
/// Connections opened and dropped first, so that the server's one-time allocations are not counted.
const WARM_UP: u32 = 50;
/// Connections from one address, which has some 28,000 ports.
const PER_ADDRESS: u32 = 20_000;
/// Files that are open in addition to connections.
const OTHER_FILES: u64 = 64;

/// A number of connections to measure at, and the first part of the names of its metrics.
pub(super) type Step = (u32, &'static str);

/// Opens connections up to the number of each step in turn, and measures them there.
pub(super) async fn measure(server: &Server, steps: &[Step]) -> anyhow::Result<Metrics> {
    let most = steps.iter().map(|(connections, _)| *connections).max().unwrap_or(0);
    let (needed, allowed) = (u64::from(most) + OTHER_FILES, open_files::limit()?);
    ensure!(allowed >= needed, "{most} connections need {needed} open files, and the limit is {allowed}");
    let warm_up = RunId::new();
    let mut sockets = Sockets::new(&warm_up);
    server.open(&mut sockets, &warm_up, 0..WARM_UP, |_, receiver| receiver).await?;
    drop(sockets);
    tokio::time::sleep(SETTLE).await;

    let before = server.usage();
    let run = RunId::new();
    let mut sockets = Sockets::new(&run);
    let (mut open, mut took, mut handshakes, mut lost) = (0, Duration::ZERO, histogram(), 0);
    let mut metrics = Metrics::new();
    for &(connections, activity) in steps {
        let opening = server.open(&mut sockets, &run, open..connections, with_source).await?;
        open = connections;
        handshakes.add(opening.0)?;
        took += opening.1;
        let opened = server.usage();
        tokio::time::sleep(SETTLE).await;
        let after = server.usage();
        let mut recorder = Recorder::new(&mut metrics, activity);
        recorder.rate(connections.into(), took);
        recorder.cpu(before.cpu, opened.cpu, connections.into());
        recorder.latency(Latency::of(&handshakes));
        let grown = after.rss_bytes.saturating_sub(before.rss_bytes);
        recorder.record("bytesEach", grown as f64 / f64::from(connections));
        let lost_before = std::mem::replace(&mut lost, sockets.tally.borrow().connections_lost);
        recorder.record("connectionsLost", (lost - lost_before) as f64);
    }
    Ok(metrics)
}

/// Leaves the address of the first block of users to the system, and gives each other block its own.
fn with_source(user: u32, receiver: Receiver) -> Receiver {
    let source = match user / PER_ADDRESS {
        0 => None,
        block => Some(IpAddr::V4(Ipv4Addr::from(u32::from(Ipv4Addr::LOCALHOST) + block))),
    };
    Receiver { handshake: Handshake { source, ..receiver.handshake }, ..receiver }
}
