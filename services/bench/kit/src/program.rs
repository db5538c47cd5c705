//! A measuring program's dealings with the one who runs it.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// Measures on this thread unless somebody wants the program to end; what is dropped then ends its server.
///
/// # Errors
/// What measuring gives, or that it was interrupted, in this order.
pub fn until_interrupted<T>(
    runtime: &Runtime,
    measured: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<anyhow::Result<T>> {
    let outcome = tokio::task::LocalSet::new().block_on(runtime, async {
        tokio::select! {
            measured = measured => Some(measured),
            () = interruption() => None,
        }
    });
    outcome.context("interrupted")
}

async fn interruption() {
    let terminate = signal(SignalKind::terminate());
    match terminate {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        // Without it a server may be left, which is all that is lost.
        Err(_) => std::future::pending().await,
    }
}

/// Reads the figures of an earlier call.
///
/// # Errors
/// The file can't be read, or has something else in it.
pub fn read<T: DeserializeOwned>(file: &Path) -> anyhow::Result<T> {
    let text = fs::read_to_string(file).with_context(|| format!("{} is not read", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not understood", file.display()))
}

/// Writes a file.
///
/// # Errors
/// It can't be written.
pub fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(file, text).with_context(|| format!("{} can't be written", file.display()))
}

/// Says something to who waits.
#[allow(clippy::print_stderr, reason = "progress, for who waits")]
pub fn say(text: &str) {
    eprintln!("{text}");
}

/// Writes what the program is for.
#[allow(clippy::print_stdout, reason = "what the program is for")]
pub fn show(text: &str) {
    println!("{text}");
}
