//! A running server of Tidings: its start and end, the load on it, and its state.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bench_kit::process::Process;
use bench_kit::tidings;
use bench_load::{HttpProducer, Receiver, Requests, RunId, SendReport, Target, Workload, http};
use serde::Deserialize;
use shared_telemetry::process::Usage;
use tempfile::TempDir;
use tokio::time::sleep;

/// Time without arrivals after which no more are expected.
pub(crate) const QUIET_PERIOD: Duration = Duration::from_secs(5);

/// Time within which a server is to start, which may have much to read, or to end.
const START_TIMEOUT: Duration = Duration::from_mins(10);
/// Time within which a server is to process what it has accepted.
const SETTLE_TIMEOUT: Duration = Duration::from_mins(10);
const POLL: Duration = Duration::from_millis(20);
/// Largest size of a request, not counting what is around the payloads.
const REQUEST_BYTES: usize = 1024 * 1024;
/// Size of the blocks in which the system reports a file's space, whatever the disk's own block size.
const BLOCK_BYTES: u64 = 512;

/// A server process with a folder of its own, which is empty at first.
pub(crate) struct Server {
    process: Process,
    target: Target,
    program: PathBuf,
    config: Option<PathBuf>,
    // Declared last: it is deleted after the process has ended.
    folder: TempDir,
}

/// A way of ending a server.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// With SIGKILL, like a crash.
    Kill,
    /// With SIGTERM.
    Stop,
}

/// The live metrics of one second.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Second {
    /// Start of the second, in milliseconds since the epoch.
    at: u64,
    /// Accepted notifications that are neither delivered nor held.
    queued: u64,
    /// Held notifications. Absent while the server counts them after its start.
    mailbox: Option<u64>,
}

#[derive(Deserialize)]
struct LiveMetrics {
    items: Vec<Second>,
}

impl Server {
    /// Starts a server, with this configuration if there is one.
    ///
    /// # Errors
    /// It can't be started or does not get ready.
    pub(crate) fn start(program: &Path, config: Option<&str>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("can't create a temporary folder")?;
        let config = config.map(|text| {
            let file = folder.path().join("tidings.toml");
            fs::write(&file, text).map(|()| file)
        });
        let config = config.transpose().context("can't write the configuration")?;
        let (process, target) = tidings::start(program, folder.path(), config.as_deref(), START_TIMEOUT)?;
        Ok(Self { process, target, program: program.to_owned(), config, folder })
    }

    /// Ends the server and starts it again. Returns the time from the new start until it is ready.
    ///
    /// # Errors
    /// It does not end or does not get ready.
    pub(crate) fn restart(&mut self, end: End) -> anyhow::Result<Duration> {
        match end {
            End::Kill => self.process.kill()?,
            End::Stop => self.process.stop(START_TIMEOUT)?,
        }
        let began = Instant::now();
        let config = self.config.as_deref();
        (self.process, self.target) =
            tidings::start(&self.program, self.folder.path(), config, START_TIMEOUT)?;
        while http::get(&self.target, "/readyz")?.0 != 200 {
            anyhow::ensure!(began.elapsed() < START_TIMEOUT, "the restarted server does not get ready");
            std::thread::sleep(POLL);
        }
        Ok(began.elapsed())
    }

    /// Returns the processor time and memory that the process has used.
    pub(crate) fn usage(&self) -> Usage {
        self.process.usage()
    }

    pub(crate) const fn target(&self) -> &Target {
        &self.target
    }

    /// Returns the disk space of the server's data in bytes.
    ///
    /// # Errors
    /// The data folder can't be read.
    pub(crate) fn disk_bytes(&self) -> anyhow::Result<u64> {
        disk_bytes(&tidings::data_folder(self.folder.path())).context("can't read the data folder")
    }

    /// Creates a receiver for each user.
    ///
    /// # Errors
    /// The server issues no tokens.
    pub(crate) async fn receivers(&self, run: &RunId, users: &[u32]) -> anyhow::Result<Vec<Receiver>> {
        tidings::receivers(&self.target, run, users, false).await
    }

    /// Sends from other threads, in requests of at most 1 MiB, and returns once the server has accepted all
    /// notifications.
    ///
    /// # Errors
    /// The server fails or refuses a notification.
    pub(crate) async fn send(
        &self,
        run: &RunId,
        mut workload: Workload,
        payload_bytes: usize,
    ) -> anyhow::Result<SendReport> {
        let fit = u32::try_from(REQUEST_BYTES / payload_bytes.max(1)).unwrap_or(u32::MAX).max(1);
        workload.batch = workload.batch.min(fit);
        let requests = Requests { batched: workload.batch > 1, with_ids: false, payload_bytes };
        HttpProducer::send(&self.target, run, workload, requests).await
    }

    /// Waits until each accepted notification is delivered, held or dropped.
    ///
    /// # Errors
    /// The server can't be asked, or takes more than ten minutes.
    pub(crate) async fn queue_is_empty(&self) -> anyhow::Result<()> {
        self.next_second(|second| (second.queued == 0).then_some(())).await
    }

    /// Returns the number of held notifications, as soon as the server has counted them after its start.
    ///
    /// # Errors
    /// The server can't be asked, or takes more than ten minutes.
    pub(crate) async fn held_count(&self) -> anyhow::Result<u64> {
        self.next_second(|second| second.mailbox).await
    }

    /// Waits for a second that begins after this call and for which `read` returns a value.
    async fn next_second<T>(&self, read: impl Fn(&Second) -> Option<T>) -> anyhow::Result<T> {
        let (began, mut after) = (Instant::now(), None);
        while began.elapsed() < SETTLE_TIMEOUT {
            let seconds = self.live_metrics(after)?;
            if after.is_some()
                && let Some(value) = seconds.iter().find_map(&read)
            {
                return Ok(value);
            }
            after = seconds.last().map(|second| second.at).or(after).or(Some(0));
            sleep(POLL).await;
        }
        bail!("the server is still busy after {} s", SETTLE_TIMEOUT.as_secs())
    }

    fn live_metrics(&self, after: Option<u64>) -> anyhow::Result<Vec<Second>> {
        let path =
            after.map_or_else(|| "/v1/live-metrics".to_owned(), |at| format!("/v1/live-metrics?after={at}"));
        let (status, body) = http::get(&self.target, &path)?;
        if status != 200 {
            bail!("the server refuses its live metrics with status {status}");
        }
        let LiveMetrics { items } =
            serde_json::from_slice(&body).context("the server's live metrics are not valid")?;
        Ok(items)
    }
}

/// Returns the disk space of a folder's files in bytes. A file that is deleted meanwhile counts as empty.
fn disk_bytes(folder: &Path) -> std::io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => sum += disk_bytes(&entry.path()).unwrap_or(0),
            Ok(metadata) => sum += metadata.blocks() * BLOCK_BYTES,
            Err(_) => {}
        }
    }
    Ok(sum)
}
