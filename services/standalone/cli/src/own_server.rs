//! A server of our own, as another process of this same program: for the demonstration and the benchmark.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(20);

/// How our own server is run.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnServerSettings {
    /// Passed on to `tidings serve`.
    pub(crate) durability: Option<String>,
    /// Passed on to `tidings serve`.
    pub(crate) config: Option<PathBuf>,
}

/// A server of our own in a temporary directory; both are gone when this is dropped.
pub(crate) struct OwnServer {
    child: Child,
    settings: OwnServerSettings,
    url: String,
    api_key: String,
    // Deleted after the child has ended.
    directory: tempfile::TempDir,
}

impl std::fmt::Debug for OwnServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnServer").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The first line a server writes when told to write for programs.
#[derive(Deserialize)]
struct Ready {
    url: String,
}

impl OwnServer {
    /// Starts this same program as a server and waits until it is ready. Blocks.
    pub(crate) fn start(settings: OwnServerSettings) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir().context("no temporary directory could be made")?;
        let child = spawn(&directory, &settings)?;
        let mut server = Self { child, settings, url: String::new(), api_key: String::new(), directory };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Ends the process as a crash does, without a chance to do anything first.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().context("the server could not be killed")?;
        self.child.wait().context("the server did not end")?;
        Ok(())
    }

    /// Starts it again on the same data, after [`OwnServer::kill`]. Blocks. Its address is another.
    pub(crate) fn restart(&mut self) -> anyhow::Result<()> {
        self.child = spawn(&self.directory, &self.settings)?;
        self.wait_until_ready()
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Its API key.
    pub(crate) fn api_key(&self) -> &str {
        &self.api_key
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let stdout = self.child.stdout.take().context("the server's output is not piped")?;
        let Some(Ready { url }) = first_line(stdout).and_then(|line| serde_json::from_str(&line).ok()) else {
            let ended = match self.child.try_wait()? {
                Some(status) => format!("ended with {status}"),
                None => "does not get ready".to_owned(),
            };
            bail!("the server {ended}: {}", self.last_words());
        };
        let key = fs::read_to_string(self.directory.path().join("data/api-key"));
        key.context("the server made no API key")?.trim().clone_into(&mut self.api_key);
        url.trim_end_matches('/').clone_into(&mut self.url);
        Ok(())
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        log.lines().last().unwrap_or("it said nothing").to_owned()
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // It keeps nothing anybody wants.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(directory: &tempfile::TempDir, settings: &OwnServerSettings) -> anyhow::Result<Child> {
    let log = File::options().create(true).append(true).open(directory.path().join("log"))?;
    let mut command = Command::new(std::env::current_exe().context("this program is not found")?);
    command
        .args(["--json", "serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(directory.path().join("data"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log);
    // What the environment says of the server is not meant for this one.
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

/// The first line of a process's output; what follows is read and forgotten, so that it never blocks.
fn first_line(stdout: ChildStdout) -> Option<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut line = String::new();
        if reader.read_line(&mut line).is_ok() {
            // Nobody waits any more when it took too long.
            let _ = sender.send(line);
        }
        io::copy(&mut reader, &mut io::sink())
    });
    receiver.recv_timeout(START).ok()
}
