//! Notifications to connected users.

use std::time::Duration;

use bench_kit::{Metrics, Recorder};
use bench_load::clock::now;
use bench_load::{Latency, RunId, Sockets, Tally, Window, Workload};

use crate::scale::Scale;
use crate::server::Server;

/// Time that the server gets to finish the work of new connections.
const SETTLE: Duration = Duration::from_millis(200);

pub(super) async fn measure(server: &Server, scale: &Scale) -> anyhow::Result<Metrics> {
    let mut metrics = Metrics::new();
    let most = measure_rate(server, scale, None, "online", &mut metrics).await?;
    measure_rate(server, scale, Some(scale.rate), "steady", &mut metrics).await?;
    measure_rate(server, scale, Some(scale.low_rate), "sparse", &mut metrics).await?;
    measure_rate(server, scale, Some(most / 2.0), "half", &mut metrics).await?;
    Ok(metrics)
}

/// Sends at a rate, or without one as fast as the window allows. Returns the arrivals a second.
async fn measure_rate(
    server: &Server,
    scale: &Scale,
    rate: Option<f64>,
    activity: &str,
    metrics: &mut Metrics,
) -> anyhow::Result<f64> {
    let run = RunId::new();
    let window = Window::new(u64::from(scale.users) * u64::from(scale.window));
    let mut sockets = Sockets::with_tally(&run, Tally::with_arrivals(window.arrivals.clone()));
    server.prepare(&run, scale.users).await?;
    server.open(&mut sockets, &run, 0..scale.users, |_, receiver| receiver).await?;
    tokio::time::sleep(SETTLE).await;
    let (before, began) = (server.usage(), now());
    let workload = Workload {
        messages: None,
        duration: Some(scale.duration()),
        rate,
        window: rate.is_none().then_some(window),
        ..Workload::new(scale.users, 0, server.system.online_producers())
    };
    let sent = server.send(&run, workload).await?;
    let expected = sent.deliveries(scale.users);
    sockets.wait_for(expected, server.system.quiet_period()).await;
    let after = server.usage();
    let tally = sockets.tally.borrow();
    let mut recorder = Recorder::new(metrics, activity);
    let per_second = recorder.rate(tally.received, tally.elapsed_since(began));
    recorder.cpu(before.cpu, after.cpu, tally.received);
    recorder.memory(&after);
    if rate.is_some() {
        recorder.latency(Latency::of(&tally.latency));
        recorder.window_p99(&tally);
        recorder.record("lateP99Micros", sent.lateness.value_at_quantile(0.99) as f64);
    }
    recorder.delivery_errors(expected, &tally);
    Ok(per_second)
}
