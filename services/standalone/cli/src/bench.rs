//! The benchmark: measures any Tidings server over its public interface, with the load generator
//! `bench-load`.

#![allow(clippy::cast_precision_loss, reason = "measurements are never near 2^52")]

mod connect;
mod idle;
mod offline;
mod online;
mod report;
mod traffic;

use std::time::Duration;

pub use bench_load::{Latency, Target};
pub use report::{Report, Row};

use contract_connections_v1::FrameFormat;

/// Size and kind of the load.
#[derive(Debug, Clone)]
pub struct Load {
    /// Number of users.
    pub users: u32,
    /// Number of WebSockets. More WebSockets than users means several devices for each user.
    pub connections: u32,
    /// Number of notifications to each user, unless `duration` is set.
    pub messages: u32,
    /// Approximate size of each payload in bytes.
    pub payload_bytes: usize,
    /// Number of sending threads.
    pub producers: u32,
    /// Number of notifications in one request.
    pub batch: u32,
    /// Notifications per second in all. `None` means as many as possible.
    pub rate: Option<f64>,
    /// Time to send for, instead of a number of notifications.
    pub duration: Option<Duration>,
    /// True if the WebSockets acknowledge.
    pub acknowledge: bool,
    /// Frame format that the WebSockets request.
    pub format: FrameFormat,
    /// True if notifications have ids, so that the server checks for duplicates.
    pub ids: bool,
    /// Silence after which no more notifications are expected.
    pub quiet: Duration,
}

/// Kind of measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Notifications to connected users.
    Online,
    /// Notifications to offline users, and their replay when the users connect.
    Offline,
    /// Memory of idle connections.
    Idle,
    /// Handshakes.
    Connect,
}

/// Measures a server. Blocks.
///
/// # Errors
/// An error if the server can't be reached, or if this machine can't measure it.
///
/// # Panics
/// Panics within a tokio runtime.
pub fn run(mode: Mode, target: &Target, load: &Load) -> anyhow::Result<Report> {
    traffic::raise_open_files(load.connections)?;
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
