//! The benchmark: measures any Tidings over its public interface, with the parts of `bench-load`.

#![allow(clippy::cast_precision_loss, reason = "measurements are never near 2^52")]

mod connect;
mod idle;
mod offline;
mod online;
mod report;
mod world;

use std::time::Duration;

pub use bench_load::{Latency, Target};
pub use report::{Report, Row};

use contract_connections_v1::FrameFormat;

/// How much of what.
#[derive(Debug, Clone)]
pub struct Load {
    /// Users notifications are sent to.
    pub users: u32,
    /// WebSockets; more than there are users means several devices each.
    pub connections: u32,
    /// Notifications to each user, unless `duration` ends it.
    pub messages: u32,
    /// Size of each payload, about.
    pub payload_bytes: usize,
    /// Threads that send.
    pub producers: u32,
    /// Notifications in one request.
    pub batch: u32,
    /// Notifications a second in all; as many as possible when not said.
    pub rate: Option<f64>,
    /// How long to send.
    pub duration: Option<Duration>,
    /// Whether WebSockets acknowledge.
    pub acknowledge: bool,
    /// The frames WebSockets ask for.
    pub format: FrameFormat,
    /// Whether notifications carry ids, by which the server recognises duplicates.
    pub ids: bool,
    /// When nothing came for that long, no more will come.
    pub quiet: Duration,
}

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Notifications to users who are connected.
    Online,
    /// Notifications to users who are not, and their replay when they connect.
    Offline,
    /// Memory of connections on which nothing happens.
    Idle,
    /// Handshakes.
    Connect,
}

/// Measures. Blocks; must not be called within a runtime.
pub fn run(mode: Mode, target: &Target, load: &Load) -> anyhow::Result<Report> {
    world::raise_open_files(load.connections)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        match mode {
            Mode::Online => online::run(target, load).await,
            Mode::Offline => offline::run(target, load).await,
            Mode::Idle => idle::run(target, load).await,
            Mode::Connect => connect::run(target, load).await,
        }
    })
}
