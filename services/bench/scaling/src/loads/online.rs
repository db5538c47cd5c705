//! Notifications to connected users.

use std::time::Duration;

use bench_kit::tidings::{self, CONCURRENT_HANDSHAKES};
use bench_kit::{Metrics, Recorder};
use bench_load::clock::now;
use bench_load::{RunId, Sockets, Tally, Window, Workload};

use crate::server::{QUIET_PERIOD, Server};

/// Time that the server gets to finish the work of new connections.
const SETTLE: Duration = Duration::from_millis(200);
/// Threads that send, and the largest number of notifications in a request.
const PRODUCERS: (u32, u32) = (4, 100);
/// Largest number of notifications in flight to each user.
const WINDOW_PER_USER: u64 = 20;
/// Largest number of notifications in flight to all users.
const WINDOW: u64 = 20_000;
/// Largest size of all notifications in flight.
const WINDOW_BYTES: u64 = 32 * 1024 * 1024;
/// Longest time of sending.
const MAX_DURATION: Duration = Duration::from_secs(30);

/// Amount of a load.
pub(crate) struct Online {
    pub(crate) users: u32,
    /// Connections of each user.
    pub(crate) devices: u32,
    /// Notifications to each user.
    pub(crate) messages: u32,
    pub(crate) payload_bytes: usize,
}

/// Sends as fast as the limits of notifications in flight allow, and records the cost.
pub(crate) async fn run(
    server: &Server,
    load: &Online,
    activity: &str,
    metrics: &mut Metrics,
) -> anyhow::Result<()> {
    let run = RunId::new();
    let bytes = u64::try_from(load.payload_bytes).unwrap_or(u64::MAX).max(1);
    let limit = (u64::from(load.users) * WINDOW_PER_USER).min(WINDOW).min(WINDOW_BYTES / bytes).max(1);
    let window = Window::with_copies(limit, load.devices.into());
    let mut sockets = Sockets::with_tally(&run, Tally::with_arrivals(window.arrivals.clone()));
    let connections: Vec<u32> = (0..load.devices).flat_map(|_| 0..load.users).collect();
    let receivers = async |wave: &[u32]| server.receivers(&run, wave).await;
    sockets.concurrent_handshakes = CONCURRENT_HANDSHAKES;
    tidings::open_in_waves(&mut sockets, &connections, receivers).await?;
    tokio::time::sleep(SETTLE).await;

    let (before, began) = (server.usage(), now());
    let workload = Workload {
        duration: Some(MAX_DURATION),
        window: Some(window),
        ..Workload::new(load.users, load.messages, PRODUCERS)
    };
    let sent = server.send(&run, workload, load.payload_bytes).await?;
    let expected = sent.accepted * u64::from(load.devices);
    sockets.wait_for(expected, QUIET_PERIOD).await;
    let after = server.usage();
    let tally = sockets.tally.borrow();
    let mut recorder = Recorder::new(metrics, activity);
    let per_second = recorder.rate(sent.accepted, tally.elapsed_since(began));
    recorder.record("bytesPerSecond", per_second * bytes as f64);
    recorder.cpu(before.cpu, after.cpu, sent.accepted);
    recorder.memory(&after);
    recorder.delivery_errors(expected, &tally);
    Ok(())
}
