//! A server of Tidings under test: its start, and its receivers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use bench_load::frames::FrameProtocol;
use bench_load::http::Address;
use bench_load::{Handshake, Receiver, RunId, Sockets, Target, histogram, tokens};
use hdrhistogram::Histogram;
use serde::Deserialize;

use crate::process::{Process, ReadySignal};

/// Users whose tokens are fetched together: few enough that no token expires before its handshake.
pub const WAVE: usize = 2_000;
/// Number of concurrent handshakes.
pub const CONCURRENT_HANDSHAKES: usize = 512;

/// The line that a server writes once it is ready.
#[derive(Deserialize)]
struct ReadyLine {
    url: String,
}

/// Reads the address from the line that a server over HTTP writes once it is ready.
///
/// # Errors
/// The line has no address.
pub fn url(line: &str) -> anyhow::Result<String> {
    let ReadyLine { url } = serde_json::from_str(line).context("the server did not print its address")?;
    Ok(url.trim_end_matches('/').to_owned())
}

/// Starts a server with its data and its log in `folder`, on a free port. Blocks until it is ready.
///
/// # Errors
/// As [`Process::start`], or the server prints no address or made no API key.
pub fn start(
    program: &Path,
    folder: &Path,
    config: Option<&Path>,
    timeout: Duration,
) -> anyhow::Result<(Process, Target)> {
    let mut command = Command::new(program);
    command.args(["--json", "serve", "--listen", "127.0.0.1:0"]);
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    let data = data_folder(folder);
    command.arg("--data-dir").arg(&data);
    let (process, line) = Process::start(command, ReadySignal::Line, folder, timeout)?;
    let key = fs::read_to_string(data.join("api-key")).context("the server made no API key")?;
    let target = Target { url: url(&line)?, api_key: key.trim().to_owned(), pid: Some(process.pid()) };
    Ok((process, target))
}

/// Returns the data folder of a server that was started with `folder`.
pub fn data_folder(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// Creates a receiver for each user, with a fresh token.
///
/// # Errors
/// The server issues no tokens.
pub async fn receivers(
    target: &Target,
    run: &RunId,
    users: &[u32],
    acknowledge: bool,
) -> anyhow::Result<Vec<Receiver>> {
    let address = Address::of(target)?;
    let tokens = tokens::fetch(target, users.iter().map(|user| run.user(*user)).collect()).await?;
    let query = if acknowledge { "format=batch&acknowledge=true" } else { "format=batch" };
    let receiver = |token| {
        let path = format!("{}/ws?token={token}&{query}", address.prefix);
        Receiver::new(Handshake::websocket(&address.host, path), FrameProtocol::new(acknowledge))
    };
    Ok(tokens.into_iter().map(receiver).collect())
}

/// Connects many users in waves of [`WAVE`], as many at a time as `sockets` is set to. `receivers` creates the receivers
/// of a wave.
///
/// Returns the time of each handshake in microseconds, and the time of all, without that of creating receivers.
///
/// # Errors
/// `receivers` fails, or a connection is refused.
pub async fn open_in_waves(
    sockets: &mut Sockets,
    users: &[u32],
    receivers: impl AsyncFn(&[u32]) -> anyhow::Result<Vec<Receiver>>,
) -> anyhow::Result<(Histogram<u64>, Duration)> {
    let (mut times, mut took) = (histogram(), Duration::ZERO);
    for wave in users.chunks(WAVE) {
        took += sockets.open(receivers(wave).await?, &mut times).await?;
    }
    Ok((times, took))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_read_from_the_ready_line() {
        assert_eq!(url("{\"url\":\"http://127.0.0.1:1/\",\"x\":1}\n").unwrap(), "http://127.0.0.1:1");
        assert!(url("ready").is_err());
    }
}
