//! A server as a child process of this program, for the demonstration and the benchmark.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;

/// Longest duration of a server's start.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Settings of a child server.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChildServerSettings {
    /// Value of `tidings serve --durability`.
    pub(crate) durability: Option<String>,
    /// Value of `tidings serve --config`.
    pub(crate) config: Option<PathBuf>,
}

/// A child process that runs a server on a temporary directory. Dropping it kills the process and deletes the
/// directory.
pub(crate) struct ChildServer {
    child: Child,
    settings: ChildServerSettings,
    url: String,
    api_key: String,
    // The last field, so that it is deleted after the child has ended.
    directory: tempfile::TempDir,
}

impl std::fmt::Debug for ChildServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChildServer").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The first line that `tidings --json serve` prints.
#[derive(Deserialize)]
struct Ready {
    url: String,
}

impl ChildServer {
    /// Starts this program as a server. Blocks until the server is ready.
    pub(crate) fn start(settings: ChildServerSettings) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir().context("the temporary directory could not be created")?;
        let child = spawn(&directory, &settings)?;
        let mut server = Self { child, settings, url: String::new(), api_key: String::new(), directory };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Kills the process with SIGKILL, as in a crash.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().context("the server could not be killed")?;
        self.child.wait().context("the server did not end")?;
        Ok(())
    }

    /// Starts the server again on the same data, after [`ChildServer::kill`]. Blocks until the server is
    /// ready. Its address changes.
    pub(crate) fn restart(&mut self) -> anyhow::Result<()> {
        self.child = spawn(&self.directory, &self.settings)?;
        self.wait_until_ready()
    }

    /// Returns the server's address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns the server's API key.
    pub(crate) fn api_key(&self) -> &str {
        &self.api_key
    }

    /// Returns the id of the server's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let stdout = self.child.stdout.take().context("the server's output is not piped")?;
        let Some(Ready { url }) = first_line(stdout).and_then(|line| serde_json::from_str(&line).ok()) else {
            let ended = match self.child.try_wait()? {
                Some(status) => format!("ended with {status}"),
                None => "is not ready in time".to_owned(),
            };
            bail!("the server {ended}: {}", self.last_log_line());
        };
        let key = fs::read_to_string(self.directory.path().join("data/api-key"));
        key.context("the server's API key could not be read")?.trim().clone_into(&mut self.api_key);
        url.trim_end_matches('/').clone_into(&mut self.url);
        Ok(())
    }

    fn last_log_line(&self) -> String {
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        log.lines().last().unwrap_or("its log is empty").to_owned()
    }
}

impl Drop for ChildServer {
    fn drop(&mut self) {
        // Errors mean that the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(directory: &tempfile::TempDir, settings: &ChildServerSettings) -> anyhow::Result<Child> {
    let log = File::options().create(true).append(true).open(directory.path().join("log"))?;
    let mut command = Command::new(std::env::current_exe().context("the path of this program is unknown")?);
    command
        .args(["--json", "serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(directory.path().join("data"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log);
    // Settings in the environment are meant for another server.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TIDINGS_")) {
        command.env_remove(name);
    }
    if let Some(durability) = &settings.durability {
        command.args(["--durability", durability]);
    }
    if let Some(config) = &settings.config {
        command.arg("--config").arg(config);
    }
    command.spawn().context("the server could not be started")
}

/// Returns the first line of a process's output. A thread reads and discards the rest, so that the process
/// never blocks on its output.
fn first_line(stdout: ChildStdout) -> Option<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut line = String::new();
        if reader.read_line(&mut line).is_ok() {
            // The receiver is gone after the timeout.
            let _ = sender.send(line);
        }
        io::copy(&mut reader, &mut io::sink())
    });
    receiver.recv_timeout(START_TIMEOUT).ok()
}
