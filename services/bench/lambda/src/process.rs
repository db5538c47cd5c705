//! One process in a function's place, from its start to its end.

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
use crate::runtime_api::{Moment, RuntimeApi};
use crate::scenario::Scenario;

/// How long anything may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_mins(1);

/// A program and its arguments.
#[derive(Debug, Clone)]
pub(crate) struct Program(pub Vec<PathBuf>);

/// A process that is given events one by one.
pub(crate) struct Running<'a> {
    process: Child,
    api: RuntimeApi,
    scenario: &'a Scenario,
    endpoint: &'a Endpoint,
    started: Instant,
    invocations: usize,
}

/// Where a process in this folder logs.
fn log(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// What was measured of a process; when it failed, with what the process logged in `folder`.
pub(crate) fn with_log<T>(measured: Result<T>, folder: &Path) -> Result<T> {
    measured.with_context(|| std::fs::read_to_string(log(folder)).unwrap_or_default())
}

impl<'a> Running<'a> {
    /// Starts `program` in the place of `scenario`'s function. `folder` has what
    /// [`Endpoint::write_authorities`] wrote.
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
            .envs(scenario.environment(endpoint, folder, api.address()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log(folder))?)
            .kill_on_drop(true);
        endpoint.take_calls();
        let started = Instant::now();
        let process = command.spawn().with_context(|| format!("{} doesn't start", binary.display()))?;
        Ok(Self { process, api, scenario, endpoint, started, invocations: 0 })
    }

    /// Its number.
    pub(crate) fn id(&self) -> Result<u32> {
        self.process.id().context("the process has ended")
    }

    async fn moment(&mut self) -> Result<Moment> {
        let moment = tokio::select! {
            moment = timeout(PATIENCE, self.api.moment()) => moment.context("it takes too long")?,
            ended = self.process.wait() => bail!("it ended by itself: {}", ended?),
        };
        match moment.context("the Runtime API ended")? {
            Moment::Error(body) => bail!("it failed: {}", String::from_utf8_lossy(&body)),
            moment => Ok(moment),
        }
    }

    /// Waits until it asks for an event; gives how long after its start that was.
    pub(crate) async fn asked(&mut self) -> Result<Duration> {
        match self.moment().await? {
            Moment::Next(at) => Ok(at - self.started),
            _ => bail!("it did something before it asked for an event"),
        }
    }

    /// Gives it the event for which it has asked, and waits for the answer.
    ///
    /// # Errors
    /// When it answers something else than it should.
    pub(crate) async fn invoke(&mut self) -> Result<Duration> {
        self.api.give();
        self.invocations += 1;
        let Moment::Given(given) = self.moment().await? else { bail!("it was not given an event") };
        let Moment::Answer(answered, body) = self.moment().await? else { bail!("it did not answer") };
        check(self.scenario, &body)?;
        Ok(answered - given)
    }

    /// Gives it as many events, one after the other, and waits until it asks for the next.
    pub(crate) async fn invoke_times(&mut self, events: usize) -> Result<Vec<Duration>> {
        let mut spent = Vec::with_capacity(events);
        for _ in 0..events {
            spent.push(self.invoke().await?);
            self.asked().await?;
        }
        Ok(spent)
    }

    /// Ends it.
    ///
    /// # Errors
    /// When it made other calls than it was to make.
    pub(crate) async fn end(mut self) -> Result<()> {
        let pid =
            i32::try_from(self.id()?).ok().and_then(Pid::from_raw).context("there is no such process")?;
        // Not killed: what watches the process may want to say something at its end.
        kill_process(pid, Signal::TERM)?;
        timeout(PATIENCE, self.process.wait()).await.context("it doesn't end")??;
        let calls = self.endpoint.take_calls();
        ensure!(calls == self.scenario.calls_of(self.invocations), "it made other calls: {calls:#?}");
        Ok(())
    }
}

fn check(scenario: &Scenario, answer: &Bytes) -> Result<()> {
    let (place, expected) = scenario.answer;
    let expected: Value = serde_json::from_str(expected)?;
    let found: Value = serde_json::from_slice(answer).context("its answer is not JSON")?;
    ensure!(found.pointer(place) == Some(&expected), "it answered {found}");
    Ok(())
}
