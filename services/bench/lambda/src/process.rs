//! A process that runs as a Lambda function, from its start to its end.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::aws::Endpoint;
use crate::runtime_api::{RuntimeApi, Step};
use crate::scenario::Scenario;

/// Time after which a step counts as failed.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A program and its arguments.
#[derive(Debug, Clone)]
pub(crate) struct Program(pub Vec<PathBuf>);

/// A running function, which is given events one by one.
pub(crate) struct FunctionProcess<'a> {
    process: Child,
    api: RuntimeApi,
    scenario: &'a Scenario,
    endpoint: &'a Endpoint,
    started: Instant,
    invocations: usize,
}

/// Returns the log file of a process that was started with this folder.
fn log_file(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// Adds the log of the process to the error of its measurement.
pub(crate) fn with_log<T>(measured: Result<T>, folder: &Path) -> Result<T> {
    measured.with_context(|| std::fs::read_to_string(log_file(folder)).unwrap_or_default())
}

impl<'a> FunctionProcess<'a> {
    /// Starts `program` as the scenario's function.
    ///
    /// `folder` has the files that [`Endpoint::write_authorities`] wrote, and gets the process's log.
    pub(crate) async fn start(
        Program(words): &Program,
        scenario: &'a Scenario,
        endpoint: &'a Endpoint,
        folder: &Path,
    ) -> Result<Self> {
        let api = RuntimeApi::new(scenario.function.name, scenario.event.clone()).await?;
        let (binary, arguments) = words.split_first().context("there is no program")?;
        let mut command = Command::new(binary);
        command
            .args(arguments)
            .env_clear()
            .envs(scenario.environment(&endpoint.url(), folder, api.address()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log_file(folder))?)
            .kill_on_drop(true);
        endpoint.take_calls();
        let started = Instant::now();
        let process = command.spawn().with_context(|| format!("can't start {}", binary.display()))?;
        Ok(Self { process, api, scenario, endpoint, started, invocations: 0 })
    }

    /// Returns the process ID.
    ///
    /// # Errors
    /// The process has ended.
    pub(crate) fn id(&self) -> Result<u32> {
        self.process.id().context("the process has ended")
    }

    async fn next_step(&mut self) -> Result<Step> {
        let step = tokio::select! {
            step = timeout(TIMEOUT, self.api.next_step()) => step.context("the function takes too long")?,
            ended = self.process.wait() => bail!("the function's process ended: {}", ended?),
        };
        match step.context("the Runtime API ended")? {
            Step::Failed(body) => bail!("the function reported {}", String::from_utf8_lossy(&body)),
            step => Ok(step),
        }
    }

    /// Waits until the function asks for an event, and returns the time since its start.
    ///
    /// # Errors
    /// The function fails, ends or takes more than a minute.
    pub(crate) async fn wait_until_asked(&mut self) -> Result<Duration> {
        match self.next_step().await? {
            Step::Asked(at) => Ok(at - self.started),
            _ => bail!("the function did not ask for an event next"),
        }
    }

    /// Gives the function the event that it has asked for, waits for the answer, and returns the time between.
    ///
    /// # Errors
    /// As [`Self::wait_until_asked`], or the answer is not the expected one.
    pub(crate) async fn invoke(&mut self) -> Result<Duration> {
        self.api.give_event();
        self.invocations += 1;
        let Step::Given(given) = self.next_step().await? else {
            bail!("the function was not given the event")
        };
        let Step::Answered(answered, body) = self.next_step().await? else {
            bail!("the function did not answer")
        };
        check(self.scenario, &body)?;
        Ok(answered - given)
    }

    /// Invokes the function `events` times, each time waiting until it asks for the next event.
    ///
    /// # Errors
    /// As [`Self::invoke`].
    pub(crate) async fn invoke_times(&mut self, events: usize) -> Result<Vec<Duration>> {
        let mut spent = Vec::with_capacity(events);
        for _ in 0..events {
            spent.push(self.invoke().await?);
            self.wait_until_asked().await?;
        }
        Ok(spent)
    }

    /// Ends the process and checks its calls.
    ///
    /// # Errors
    /// It made other calls than the scenario has, or does not end within a minute.
    pub(crate) async fn end(mut self) -> Result<()> {
        let pid = i32::try_from(self.id()?).ok().and_then(Pid::from_raw).context("not a process ID")?;
        // SIGTERM and not SIGKILL, so that valgrind can write its summary.
        kill_process(pid, Signal::TERM)?;
        timeout(TIMEOUT, self.process.wait()).await.context("the process does not end")??;
        let calls = self.endpoint.take_calls();
        let expected = self.scenario.calls_in(self.invocations);
        ensure!(calls == expected, "the function made other calls: {calls:#?}");
        Ok(())
    }
}

fn check(scenario: &Scenario, answer: &Bytes) -> Result<()> {
    let (pointer, expected) = scenario.answer;
    let expected: Value = serde_json::from_str(expected)?;
    let found: Value = serde_json::from_slice(answer).context("the function's answer is not JSON")?;
    ensure!(found.pointer(pointer) == Some(&expected), "the function answered {found}");
    Ok(())
}
