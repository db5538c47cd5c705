//! A running server of Tidings: what is sent to it, and what it uses.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bench_kit::process::Process;
use bench_kit::tidings;
use bench_load::posts::Posts;
use bench_load::{Door, Pace, Run, Sent, Target, http, producer};
use serde::Deserialize;
use shared_telemetry::process::Usage;
use tempfile::TempDir;
use tokio::time::sleep;

/// How long a server may take to start, however much it has to read, and to end.
const START: Duration = Duration::from_mins(10);
/// How long the server may take with what it has accepted.
const SETTLE: Duration = Duration::from_mins(10);
const POLL: Duration = Duration::from_millis(20);
/// Bytes of a request, about.
const REQUEST_BYTES: usize = 1024 * 1024;

/// A server of its own, with nothing in it at first.
pub(crate) struct World {
    process: Process,
    target: Target,
    program: PathBuf,
    config: Option<PathBuf>,
    // Deleted after the process has ended.
    folder: TempDir,
}

/// How a server is ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// As by a crash.
    Kill,
    /// As one asks it to.
    Stop,
}

/// The figures of a second, as the server tells them.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Second {
    at: u64,
    queued: u64,
    /// Held; nothing while it counts.
    pub(crate) mailbox: Option<u64>,
}

#[derive(Deserialize)]
struct Seconds {
    items: Vec<Second>,
}

impl World {
    /// Starts it, with a configuration if one is needed.
    pub(crate) fn start(program: &Path, config: Option<&str>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("no temporary directory could be made")?;
        let config = config.map(|text| {
            let file = folder.path().join("tidings.toml");
            fs::write(&file, text).map(|()| file)
        });
        let config = config.transpose().context("the configuration can't be written")?;
        let (process, target) = tidings::start(program, folder.path(), config.as_deref(), START)?;
        Ok(Self { process, target, program: program.to_owned(), config, folder })
    }

    /// Ends it and starts it again; gives how long it took from there until it said that it was ready.
    pub(crate) fn restart(&mut self, end: End) -> anyhow::Result<Duration> {
        match end {
            End::Kill => self.process.kill()?,
            End::Stop => self.process.stop(START)?,
        }
        let began = Instant::now();
        let config = self.config.as_deref();
        (self.process, self.target) = tidings::start(&self.program, self.folder.path(), config, START)?;
        while http::get(&self.target, "/readyz")?.0 != 200 {
            anyhow::ensure!(began.elapsed() < START, "the server does not get ready");
            std::thread::sleep(POLL);
        }
        Ok(began.elapsed())
    }

    /// What its process has used.
    pub(crate) fn usage(&self) -> Usage {
        self.process.usage()
    }

    pub(crate) const fn target(&self) -> &Target {
        &self.target
    }

    /// Bytes on disk that its data takes.
    pub(crate) fn disk_bytes(&self) -> anyhow::Result<u64> {
        disk_bytes(&tidings::data(self.folder.path())).context("its data can't be looked at")
    }

    /// How users get in.
    pub(crate) async fn doors(&self, run: &Run, users: &[u32]) -> anyhow::Result<Vec<Door>> {
        tidings::doors(&self.target, run, users, false).await
    }

    /// Sends from other threads, and gives what was accepted once all of it was.
    pub(crate) async fn send(&self, run: &Run, mut pace: Pace, bytes: usize) -> anyhow::Result<Sent> {
        pace.batch = pace.batch.min(u32::try_from(REQUEST_BYTES / bytes.max(1)).unwrap_or(u32::MAX).max(1));
        let (target, run, several) = (self.target.clone(), run.clone(), pace.batch > 1);
        let sending = tokio::task::spawn_blocking(move || {
            producer::send(&pace, |users| Posts::connect(&target, &run, users, bytes, (several, false)))
        });
        sending.await?
    }

    /// Waits until nothing is queued any more: each is pushed, held or let go of.
    pub(crate) async fn settled(&self) -> anyhow::Result<Second> {
        self.second(|second| second.queued == 0).await
    }

    /// Waits until it knows how many are held, which it counts after its start.
    pub(crate) async fn counted(&self) -> anyhow::Result<Second> {
        self.second(|second| second.mailbox.is_some()).await
    }

    /// Waits for a second that begins after this and is as wanted.
    async fn second(&self, wanted: impl Fn(&Second) -> bool) -> anyhow::Result<Second> {
        let (began, mut after) = (Instant::now(), None);
        while began.elapsed() < SETTLE {
            let items = self.seconds(after)?;
            if after.is_some()
                && let Some(second) = items.iter().find(|second| wanted(second))
            {
                return Ok(*second);
            }
            after = items.last().map(|second| second.at).or(after).or(Some(0));
            sleep(POLL).await;
        }
        bail!("the server is at work on what it accepted for too long")
    }

    fn seconds(&self, after: Option<u64>) -> anyhow::Result<Vec<Second>> {
        let path = after.map_or_else(|| "/v1/figures".to_owned(), |at| format!("/v1/figures?after={at}"));
        let (status, body) = http::get(&self.target, &path)?;
        if status != 200 {
            bail!("the figures are refused with status {status}");
        }
        let Seconds { items } = serde_json::from_slice(&body).context("the figures are not understood")?;
        Ok(items)
    }
}

/// What a folder takes: a file that is deleted meanwhile takes nothing.
fn disk_bytes(folder: &Path) -> std::io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => sum += disk_bytes(&entry.path()).unwrap_or(0),
            // Blocks are of 512 bytes whatever the disk's own size is.
            Ok(metadata) => sum += metadata.blocks() * 512,
            Err(_) => {}
        }
    }
    Ok(sum)
}
