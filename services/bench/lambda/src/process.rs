//! One process, from its start to the answer of its last invocation.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use crate::aws::Endpoint;
use crate::runtime_api::{Moment, RuntimeApi};
use crate::scenario::Scenario;

/// How long anything may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Invocations of one process.
pub(crate) const INVOCATIONS: usize = 3;

/// What was measured of one process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    /// From the start of the process to its first question for an event.
    pub init: Duration,
    /// From the first event to its answer.
    pub first: Duration,
    /// From the second event to its answer.
    pub second: Duration,
}

/// A program and its arguments.
#[derive(Debug, Clone)]
pub(crate) struct Program(pub Vec<PathBuf>);

/// Starts `program` in the place of `scenario`'s function and gives it the event as often as it asks, up to
/// [`INVOCATIONS`] times. `folder` has what [`Endpoint::write_authorities`] wrote.
///
/// # Errors
/// When it doesn't run, answers something else, or makes other calls than it is to make; with what it logged.
pub(crate) async fn measure(
    program: &Program,
    scenario: &Scenario,
    endpoint: &Endpoint,
    folder: &Path,
) -> Result<Measured> {
    let log = folder.join("log");
    let measured = observe(program, scenario, endpoint, folder, &log).await;
    measured.with_context(|| std::fs::read_to_string(&log).unwrap_or_default())
}

async fn observe(
    Program(words): &Program,
    scenario: &Scenario,
    endpoint: &Endpoint,
    folder: &Path,
    log: &Path,
) -> Result<Measured> {
    let mut api = RuntimeApi::new(scenario.function.name, scenario.event()).await?;
    let (binary, arguments) = words.split_first().context("there is no program")?;
    let mut command = Command::new(binary);
    command
        .args(arguments)
        .env_clear()
        .envs(scenario.environment(endpoint, folder, api.address()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(log)?)
        .kill_on_drop(true);
    endpoint.take_calls();
    let start = Instant::now();
    let mut process = command.spawn().with_context(|| format!("{} doesn't start", binary.display()))?;
    let seen = tokio::select! {
        seen = timeout(PATIENCE, follow(&mut api)) => seen.context("it takes too long")??,
        ended = process.wait() => bail!("it ended by itself: {}", ended?),
    };
    process.kill().await?;
    let calls = endpoint.take_calls();
    ensure!(calls == scenario.calls_of(INVOCATIONS), "it made other calls: {calls:#?}");
    for answer in &seen.answers {
        check(scenario, answer)?;
    }
    let spent = |n: usize| seen.answered[n] - seen.given[n];
    Ok(Measured { init: seen.asked[0] - start, first: spent(0), second: spent(1) })
}

/// When a process did what; of each as many as there are invocations.
#[derive(Default)]
struct Seen {
    asked: Vec<Instant>,
    given: Vec<Instant>,
    answered: Vec<Instant>,
    answers: Vec<Bytes>,
}

async fn follow(api: &mut RuntimeApi) -> Result<Seen> {
    let mut seen = Seen::default();
    while seen.answers.len() < INVOCATIONS {
        match api.moment().await.context("the Runtime API ended")? {
            Moment::Next(at) => seen.asked.push(at),
            Moment::Given(at) => seen.given.push(at),
            Moment::Answer(at, body) => {
                seen.answered.push(at);
                seen.answers.push(body);
            }
            Moment::Error(body) => bail!("it failed: {}", String::from_utf8_lossy(&body)),
        }
    }
    Ok(seen)
}

fn check(scenario: &Scenario, answer: &[u8]) -> Result<()> {
    let (place, expected) = scenario.answer;
    let expected: Value = serde_json::from_str(expected)?;
    let found: Value = serde_json::from_slice(answer).context("its answer is not JSON")?;
    ensure!(found.pointer(place) == Some(&expected), "it answered {found}");
    Ok(())
}
