//! How long a process takes to start and to answer its first events.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::aws::Endpoint;
use crate::process::{Program, Running, with_log};
use crate::scenario::Scenario;

/// What was measured of one process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Started {
    /// From the start of the process to its first question for an event.
    pub init: Duration,
    /// From the first event to its answer.
    pub first: Duration,
    /// From the second event to its answer.
    pub second: Duration,
}

/// Starts `program` and gives it two events.
///
/// # Errors
/// When it doesn't run, answers something else, or makes other calls than it is to make; with what it logged.
pub(crate) async fn measure(
    program: &Program,
    scenario: &Scenario,
    endpoint: &Endpoint,
    folder: &Path,
) -> Result<Started> {
    with_log(observe(program, scenario, endpoint, folder).await, folder)
}

async fn observe(
    program: &Program,
    scenario: &Scenario,
    endpoint: &Endpoint,
    folder: &Path,
) -> Result<Started> {
    let mut running = Running::start(program, scenario, endpoint, folder).await?;
    let init = running.asked().await?;
    let first = running.invoke().await?;
    running.asked().await?;
    let second = running.invoke().await?;
    running.asked().await?;
    running.end().await?;
    Ok(Started { init, first, second })
}
