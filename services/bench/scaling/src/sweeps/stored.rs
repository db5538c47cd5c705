//! More notifications on disk in all, for users who stay disconnected while others are served; and the disk
//! space that remains after all are delivered.

use std::time::{Duration, Instant};

use bench_kit::{Metrics, Recorder};
use bench_load::RunId;

use crate::loads::offline::{self, Offline};
use crate::loads::online::{self, Online};
use crate::outcome::Outcome;
use crate::scale::{Scale, per_user};
use crate::server::{End, Server};

/// Users who are served while the others' notifications are stored.
const OTHER_USERS: u32 = 1_000;
/// Idle time after which the server has reclaimed the disk space that it reclaims by itself.
const IDLE: Duration = Duration::from_secs(5);

pub(super) async fn measure(server: &mut Server, stored: u32, scale: &Scale) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let metrics = &mut outcome.metrics;
    let users = per_user(stored, scale.stored_each);
    let run = RunId::new();
    let load = Offline { users, messages: per_user(stored, users), payload_bytes: scale.stored_bytes };
    let sent = offline::accept(server, &run, &load, "fill", metrics).await?;
    let payload = sent.accepted as f64 * scale.stored_bytes as f64;
    let mut recorder = Recorder::new(metrics, "stored");
    recorder.record("expected", sent.accepted as f64);
    recorder.record("payloadBytes", payload);
    let disk = server.disk_bytes()? as f64;
    recorder.record("diskBytes", disk);
    recorder.record("diskPerPayload", disk / payload);

    restart(server, End::Kill, "killed", sent.accepted, metrics).await?;
    restart(server, End::Stop, "stopped", sent.accepted, metrics).await?;

    let messages = per_user(scale.stored_others / 2, OTHER_USERS);
    let others = Offline { users: OTHER_USERS, messages, payload_bytes: scale.payload_bytes };
    offline::run(server, &others, scale.connections, metrics).await?;
    let load = Online { users: OTHER_USERS, devices: 1, messages, payload_bytes: scale.payload_bytes };
    online::run(server, &load, "online", metrics).await?;

    let micros = offline::connection_micros(server, scale.connections, metrics).await?;
    offline::replay(server, &run, &sent, micros, "deliver", metrics).await?;
    record_space(server, "delivered", metrics)?;
    tokio::time::sleep(IDLE).await;
    record_space(server, "idle", metrics)?;
    online::run(server, &load, "afterwards", metrics).await?;
    record_space(server, "afterwards", metrics)?;
    server.restart(End::Stop)?;
    tokio::time::sleep(IDLE).await;
    record_space(server, "restarted", metrics)?;
    Ok(outcome)
}

/// Restarts the server, and records the time until it is ready and the time until it has counted the held
/// notifications.
async fn restart(
    server: &mut Server,
    end: End,
    activity: &str,
    expected: u64,
    metrics: &mut Metrics,
) -> anyhow::Result<()> {
    let began = Instant::now();
    let ready = server.restart(end)?;
    let ending = began.elapsed().saturating_sub(ready);
    let cpu = server.usage().cpu;
    let held = server.held_count().await?;
    let counted = began.elapsed().saturating_sub(ending);
    let mut recorder = Recorder::new(metrics, activity);
    recorder.record("readySeconds", ready.as_secs_f64());
    recorder.record("readyCpuSeconds", cpu.as_secs_f64());
    recorder.record("endSeconds", ending.as_secs_f64());
    recorder.record("countedSeconds", counted.as_secs_f64());
    recorder.memory(&server.usage());
    recorder.record("diskBytes", server.disk_bytes()? as f64);
    // The true number is known, so a difference in either direction is an error.
    recorder.record("lost", expected.abs_diff(held) as f64);
    Ok(())
}

fn record_space(server: &Server, activity: &str, metrics: &mut Metrics) -> anyhow::Result<()> {
    let mut recorder = Recorder::new(metrics, activity);
    recorder.record("diskBytes", server.disk_bytes()? as f64);
    recorder.memory(&server.usage());
    Ok(())
}
