//! Notifications to disconnected users, and their replay when all connect.

use bench_kit::{Metrics, Recorder};
use bench_load::clock::now;
use bench_load::{Latency, RunId, Sockets, histogram};

use crate::scale::{Scale, burst};
use crate::server::Server;

pub(super) async fn measure(server: &Server, scale: &Scale) -> anyhow::Result<Metrics> {
    let run = RunId::new();
    server.prepare(&run, scale.users).await?;
    let mut metrics = Metrics::new();
    let before = server.usage();
    let workload = burst(scale.users, scale.held, server.system.offline_producers());
    let sent = server.send(&run, workload).await?;
    let held = server.usage();
    let mut recorder = Recorder::new(&mut metrics, "accept");
    recorder.rate(sent.accepted, sent.took);
    recorder.cpu(before.cpu, held.cpu, sent.accepted);
    recorder.memory(&held);
    recorder.record("count", sent.accepted as f64);

    // Tokens are not part of the replay, so they are fetched before it starts.
    let receivers = server.receivers(&run, &(0..scale.users).collect::<Vec<_>>()).await?;
    let mut sockets = Sockets::new(&run);
    sockets.concurrent_handshakes = server.system.concurrent_handshakes();
    let mut handshakes = histogram();
    let (before, began) = (server.usage(), now());
    sockets.open(receivers, &mut handshakes).await?;
    sockets.wait_for(sent.accepted, server.system.quiet_period()).await;
    let after = server.usage();
    let tally = sockets.tally.borrow();
    let mut recorder = Recorder::new(&mut metrics, "replay");
    recorder.rate(tally.received, tally.elapsed_since(began));
    recorder.cpu(before.cpu, after.cpu, tally.received);
    if let Some(latency) = Latency::of(&handshakes) {
        recorder.record("handshakeP99Micros", latency.p99 as f64);
    }
    recorder.delivery_errors(sent.accepted, &tally);
    Ok(metrics)
}
