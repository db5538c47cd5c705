//! Notifications to disconnected users, and their replay when the users connect.

use std::rc::Rc;
use std::time::Duration;

use anyhow::ensure;
use bench_kit::tidings::{CONCURRENT_HANDSHAKES, WAVE};
use bench_kit::{Metrics, Recorder};
use bench_load::clock::now;
use bench_load::{RunId, SendReport, Sockets, Tally, Workload, histogram};

use crate::server::{QUIET_PERIOD, Server};

/// Threads that send, and the largest number of notifications in a request.
const PRODUCERS: (u32, u32) = (2, 1_000);
/// Time that the server gets to finish the work of closed connections.
const SETTLE: Duration = Duration::from_millis(200);

/// Amount of a load.
pub(crate) struct Offline {
    pub(crate) users: u32,
    /// Notifications to each user.
    pub(crate) messages: u32,
    pub(crate) payload_bytes: usize,
}

/// Measures accepting (`accept`), a connection (`connection`) and the replay (`replay`), one after the other.
/// `connections` is the number of connections that the cost of one is measured with.
pub(crate) async fn run(
    server: &Server,
    load: &Offline,
    connections: u32,
    metrics: &mut Metrics,
) -> anyhow::Result<()> {
    let run = RunId::new();
    let sent = accept(server, &run, load, "accept", metrics).await?;
    let micros = connection_micros(server, connections, metrics).await?;
    replay(server, &run, &sent, micros, "replay", metrics).await
}

/// Sends as fast as the server accepts, waits until all is held, and records the cost.
pub(crate) async fn accept(
    server: &Server,
    run: &RunId,
    load: &Offline,
    activity: &str,
    metrics: &mut Metrics,
) -> anyhow::Result<SendReport> {
    let before = server.usage();
    let workload = Workload::new(load.users, load.messages, PRODUCERS);
    let sent = server.send(run, workload, load.payload_bytes).await?;
    server.queue_is_empty().await?;
    let after = server.usage();
    ensure!(sent.failed == 0, "the server refused {} notifications for now", sent.failed);
    let mut recorder = Recorder::new(metrics, activity);
    let per_second = recorder.rate(sent.accepted, sent.took);
    recorder.record("bytesPerSecond", per_second * load.payload_bytes as f64);
    recorder.cpu(before.cpu, after.cpu, sent.accepted);
    recorder.memory(&after);
    Ok(sent)
}

/// Measures the server's processor time for a connection without notifications, in microseconds.
///
/// The replay's cost is corrected by it.
pub(crate) async fn connection_micros(
    server: &Server,
    connections: u32,
    metrics: &mut Metrics,
) -> anyhow::Result<f64> {
    let run = RunId::new();
    let mut cpu = Duration::ZERO;
    let users: Vec<u32> = (0..connections).collect();
    for wave in users.chunks(WAVE) {
        let receivers = server.receivers(&run, wave).await?;
        let mut sockets = Sockets::new(&run);
        sockets.concurrent_handshakes = CONCURRENT_HANDSHAKES;
        let before = server.usage();
        sockets.open(receivers, &mut histogram()).await?;
        tokio::time::sleep(SETTLE).await;
        cpu += server.usage().cpu.saturating_sub(before.cpu);
    }
    let micros = cpu.as_secs_f64() * 1e6 / f64::from(connections.max(1));
    Recorder::new(metrics, "connection").record("cpuMicrosEach", micros);
    Ok(micros)
}

/// Connects all users in waves, each after the wave before has its notifications, and records the cost
/// without that of the connections.
pub(crate) async fn replay(
    server: &Server,
    run: &RunId,
    sent: &SendReport,
    connection_micros: f64,
    activity: &str,
    metrics: &mut Metrics,
) -> anyhow::Result<()> {
    let tally = Tally::new();
    let users: Vec<u32> = (0..).zip(&sent.per_user).map(|(user, _)| user).collect();
    let (mut cpu, mut took, mut expected) = (Duration::ZERO, Duration::ZERO, 0);
    for wave in users.chunks(WAVE) {
        // Tokens are not part of the replay, so they are fetched before it starts.
        let receivers = server.receivers(run, wave).await?;
        tokio::time::sleep(if users.len() > WAVE { Duration::ZERO } else { SETTLE }).await;
        expected += wave.iter().map(|user| u64::from(sent.per_user[*user as usize])).sum::<u64>();
        let mut sockets = Sockets::with_tally(run, Rc::clone(&tally));
        sockets.concurrent_handshakes = CONCURRENT_HANDSHAKES;
        let (before, began) = (server.usage(), now());
        sockets.open(receivers, &mut histogram()).await?;
        sockets.wait_for(expected, QUIET_PERIOD).await;
        cpu += server.usage().cpu.saturating_sub(before.cpu);
        took += tally.borrow().elapsed_since(began);
    }
    let tally = tally.borrow();
    let connecting = Duration::from_secs_f64(connection_micros * users.len() as f64 / 1e6);
    let mut recorder = Recorder::new(metrics, activity);
    recorder.rate(tally.received, took);
    recorder.cpu(connecting.min(cpu), cpu, tally.received);
    recorder.memory(&server.usage());
    recorder.delivery_errors(expected, &tally);
    Ok(())
}
