//! The server's process: one of our own, and what any costs.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::Target;
use crate::client::Gateway;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(20);
/// Files the program has open besides sockets.
const OTHER_FILES: u64 = 64;

/// How our own server is run.
#[derive(Debug, Clone, Default)]
pub struct OwnServerSettings {
    /// Passed on to `tidings serve`.
    pub durability: Option<String>,
    /// Passed on to `tidings serve`.
    pub config: Option<PathBuf>,
}

/// A server of our own in a temporary directory; it ends with this.
#[derive(Debug)]
pub struct OwnServer {
    child: Child,
    // Deleted after the child has ended.
    directory: tempfile::TempDir,
    url: String,
    api_key: String,
}

impl OwnServer {
    /// Starts this same program as a server and waits until it is ready.
    pub fn start(settings: &OwnServerSettings) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir().context("no temporary directory could be made")?;
        let listen = free_address()?;
        let log = fs::File::create(directory.path().join("log"))?;
        let mut command = Command::new(std::env::current_exe().context("this program is not found")?);
        command
            .args(["serve", "--listen", &listen, "--data-dir"])
            .arg(directory.path().join("data"))
            .env_remove("TIDINGS_DATA_DIR")
            .env_remove("TIDINGS_API_KEY")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        if let Some(durability) = &settings.durability {
            command.args(["--durability", durability]);
        }
        if let Some(config) = &settings.config {
            command.arg("--config").arg(config);
        }
        let child = command.spawn().context("the server could not be started")?;
        let mut server = Self { child, directory, url: format!("http://{listen}"), api_key: String::new() };
        server.wait_until_ready()?;
        let key = server.directory.path().join("data/api-key");
        let key = fs::read_to_string(&key).context("the server made no API key")?;
        key.trim().clone_into(&mut server.api_key);
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let gateway = Gateway::new(&self.url)?;
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}: {}", self.last_words());
            }
            let Err(error) = runtime.block_on(gateway.ready()) else { return Ok(()) };
            if began.elapsed() > START {
                return Err(anyhow::Error::from(error).context("the server does not get ready"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        log.lines().last().unwrap_or("it said nothing").to_owned()
    }

    /// The server as something to measure.
    pub fn target(&self) -> Target {
        Target { url: self.url.clone(), api_key: self.api_key.clone(), pid: Some(self.child.id()) }
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // It keeps nothing anybody wants.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address nobody listens on at the moment.
fn free_address() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no port is free")?;
    Ok(listener.local_addr()?.to_string())
}

/// What a process has used.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    /// Resident memory now.
    pub(super) rss_bytes: u64,
    /// Processor time so far.
    pub(super) cpu: Duration,
}

/// What a process has used; nothing where there is no `/proc`.
pub(super) fn usage(pid: Option<u32>) -> Option<Usage> {
    let pid = pid?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse_usage(&status, &stat)
}

fn parse_usage(status: &str, stat: &str) -> Option<Usage> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    // The name in parentheses may contain anything; utime and stime are the 12th and 13th after it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    // Linux shows a hundred ticks a second whatever it counts itself.
    let cpu = Duration::from_millis((ticks()? + ticks()?) * 10);
    Some(Usage { rss_bytes: kib * 1_024, cpu })
}

/// Allows this process as many open files as the connections need.
pub(super) fn raise_open_files(connections: u32) -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let needed = u64::from(connections) + OTHER_FILES;
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        if current.is_none_or(|current| current >= needed) {
            return Ok(());
        }
        if maximum.is_some_and(|maximum| maximum < needed) {
            bail!(
                "{connections} connections need {needed} open files, and {} are allowed; see ulimit -n",
                maximum.unwrap_or(0)
            );
        }
        setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum })
            .context("more open files are not allowed")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_from_proc() {
        let stat = "42 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 4 0 100";
        let usage = parse_usage("Name:\tx\nVmRSS:\t   1024 kB\n", stat).unwrap();
        assert_eq!((usage.rss_bytes, usage.cpu), (1024 * 1024, Duration::from_secs(2)));
        assert!(parse_usage("", stat).is_none());
    }
}
