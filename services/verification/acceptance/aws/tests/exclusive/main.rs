//! Suites that need the AWS endpoint to themselves.
//!
//! They are a test binary of their own, because `cargo test` runs binaries one after the other, and within it
//! they run one at a time ([`alone`]): an emulator that starts a process for each handshake at the same
//! time answers nobody else, and a push that it answers late is repeated, which counts as a cost.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod cost;
mod single_use;

use tokio::sync::{Mutex, MutexGuard};

/// Waits until no other test of this binary runs.
async fn alone() -> MutexGuard<'static, ()> {
    static ENDPOINT: Mutex<()> = Mutex::const_new(());
    ENDPOINT.lock().await
}
