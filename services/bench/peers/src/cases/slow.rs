//! A user who is sent much and does not read, among many who do.

use bench_kit::{Metrics, Recorder};
use bench_load::{Handshake, Latency, Receiver, RunId, Sockets, Workload, histogram};

use crate::scale::Scale;
use crate::server::Server;

/// Receive buffer of the stuck user's connection in bytes, so small that it fills at once.
const RECEIVE_BUFFER: u32 = 4_096;
/// The stuck user's share of the rate.
const SHARE: f64 = 0.5;

/// Measures the latency of the other users: first while the one user reads, then while it does not. It is
/// sent the same in both.
pub(super) async fn measure(server: &Server, scale: &Scale) -> anyhow::Result<Metrics> {
    let mut metrics = Metrics::new();
    for (activity, reads) in [("allRead", true), ("oneStuck", false)] {
        let (run, flood) = (RunId::new(), RunId::new());
        let (mut sockets, mut flooded) = (Sockets::new(&run), Sockets::new(&flood));
        server.open(&mut sockets, &run, 0..scale.users, |_, receiver| receiver).await?;
        for receiver in server.receivers(&flood, &[0]).await? {
            if reads {
                flooded.open(vec![receiver], &mut histogram()).await?;
            } else {
                let handshake = Handshake { receive_buffer: Some(RECEIVE_BUFFER), ..receiver.handshake };
                flooded.open_unread(Receiver { handshake, ..receiver }).await?;
            }
        }
        let workload = |users, producers, rate| Workload {
            duration: Some(scale.duration()),
            rate: Some(rate),
            messages: None,
            ..Workload::new(users, 0, (producers, 100))
        };
        let (producers, _) = server.system.online_producers();
        let (sent, flood_sent) = tokio::join!(
            server.send(&run, workload(scale.users, producers, scale.rate)),
            server.send_large(&flood, workload(1, 1, scale.rate * SHARE)),
        );
        let (sent, _) = (sent?, flood_sent?);
        let expected = sent.deliveries(scale.users);
        sockets.wait_for(expected, server.system.quiet_period()).await;
        let tally = sockets.tally.borrow();
        let mut recorder = Recorder::new(&mut metrics, activity);
        recorder.latency(Latency::of(&tally.latency));
        recorder.window_p99(&tally);
        recorder.delivery_errors(expected, &tally);
    }
    Ok(metrics)
}
