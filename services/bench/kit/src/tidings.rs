//! Tidings as a server that is measured.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use bench_load::frames::Frames;
use bench_load::http::Address;
use bench_load::{Door, Handshake, Run, Sockets, Target, tokens};
use hdrhistogram::Histogram;
use serde::Deserialize;

use crate::process::{Process, Ready};

/// Tokens asked for at once: few enough that none expires before its handshake.
pub const WAVE: usize = 2_000;
/// Handshakes at a time.
pub const AT_ONCE: usize = 512;

/// The line that it writes when it is ready.
#[derive(Deserialize)]
struct Url {
    url: String,
}

/// The address in the line that a server over HTTP writes when it is ready.
///
/// # Errors
/// Something else is in it.
pub fn url(line: &str) -> anyhow::Result<String> {
    let Url { url } = serde_json::from_str(line).context("what the server says is not understood")?;
    Ok(url.trim_end_matches('/').to_owned())
}

/// Starts it with its data and its log in `folder`, and with this configuration where one is given; it has so long to
/// get ready. Blocks.
///
/// # Errors
/// As [`Process::start`], or it says what is not understood.
pub fn start(
    program: &Path,
    folder: &Path,
    config: Option<&Path>,
    patience: Duration,
) -> anyhow::Result<(Process, Target)> {
    let mut command = Command::new(program);
    command.args(["--json", "serve", "--listen", "127.0.0.1:0"]);
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    let data = data(folder);
    command.arg("--data-dir").arg(&data);
    let (process, line) = Process::start(command, Ready::Line, folder, patience)?;
    let key = fs::read_to_string(data.join("api-key")).context("the server made no API key")?;
    let target = Target { url: url(&line)?, api_key: key.trim().to_owned(), pid: Some(process.pid()) };
    Ok((process, target))
}

/// Where its data is.
pub fn data(folder: &Path) -> std::path::PathBuf {
    folder.join("data")
}

/// How users get in, one connection each.
///
/// # Errors
/// It gives no tokens.
pub async fn doors(
    target: &Target,
    run: &Run,
    users: &[u32],
    acknowledge: bool,
) -> anyhow::Result<Vec<Door>> {
    let address = Address::of(target)?;
    let tokens = tokens::fetch(target, users.iter().map(|user| run.user(*user)).collect()).await?;
    let query = if acknowledge { "format=batch&acknowledge=true" } else { "format=batch" };
    let door = |token| {
        let path = format!("{}/ws?token={token}&{query}", address.prefix);
        Door::new(Handshake::websocket(&address.host, path), Frames::new(acknowledge))
    };
    Ok(tokens.into_iter().map(door).collect())
}

/// Opens a connection for each of many users; gives the time each took, and the time all took without what comes
/// before, such as getting tokens. `doors` says how some of them get in.
///
/// # Errors
/// Those of `doors`; a connection is refused.
pub async fn open(
    sockets: &mut Sockets,
    users: &[u32],
    doors: impl AsyncFn(&[u32]) -> anyhow::Result<Vec<Door>>,
) -> anyhow::Result<(Histogram<u64>, Duration)> {
    let (mut times, mut took) = (Sockets::times(), Duration::ZERO);
    sockets.at_once = AT_ONCE;
    for wave in users.chunks(WAVE) {
        took += sockets.open(doors(wave).await?, &mut times).await?;
    }
    Ok((times, took))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_in_the_line_of_a_server_that_is_ready() {
        assert_eq!(url("{\"url\":\"http://127.0.0.1:1/\",\"x\":1}\n").unwrap(), "http://127.0.0.1:1");
        assert!(url("ready").is_err());
    }
}
