//! Times of a process's start and first events.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::aws::Endpoint;
use crate::process::{FunctionProcess, Program, with_log};
use crate::scenario::Scenario;

/// Times of one process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StartTimes {
    /// From the start of the process until it asks for an event.
    pub init: Duration,
    /// From the first event to its answer.
    pub first: Duration,
    /// From the second event to its answer.
    pub second: Duration,
}

/// Starts `program` and gives it two events.
///
/// # Errors
/// The function fails, gives another answer or makes other calls than the scenario has. The error has its log.
pub(crate) async fn measure(
    program: &Program,
    scenario: &Scenario,
    endpoint: &Endpoint,
    folder: &Path,
) -> Result<StartTimes> {
    with_log(observe(program, scenario, endpoint, folder).await, folder)
}

async fn observe(
    program: &Program,
    scenario: &Scenario,
    endpoint: &Endpoint,
    folder: &Path,
) -> Result<StartTimes> {
    let mut process = FunctionProcess::start(program, scenario, endpoint, folder).await?;
    let init = process.wait_until_asked().await?;
    let first = process.invoke().await?;
    process.wait_until_asked().await?;
    let second = process.invoke().await?;
    process.wait_until_asked().await?;
    process.end().await?;
    Ok(StartTimes { init, first, second })
}
