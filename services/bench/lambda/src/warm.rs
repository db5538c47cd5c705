//! What an event takes once a process is warm.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::aws::Endpoint;
use crate::process::{Program, Running, with_log};
use crate::report::median;
use crate::scenario::Scenario;

/// What was measured of one process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Warm {
    /// Processor time of one event, of user and of system, of all threads: the mean.
    pub cpu: Duration,
    /// From an event to its answer: the median.
    pub wall: Duration,
}

/// How many events a process is given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Events {
    /// Before it is measured.
    pub before: u32,
    /// While it is.
    pub measured: u32,
}

/// The nanoseconds of a thread on a processor, the first figure of its `schedstat`
/// (<https://docs.kernel.org/scheduler/sched-stats.html>).
fn on_processor(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().next()?.parse().ok()
}

/// The processor time of a process so far. Threads that have ended are not counted; those that serve functions
/// do not end.
fn cpu(process: u32) -> Result<Duration> {
    let mut nanos = 0;
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
        // A thread may end meanwhile.
        if let Ok(text) = std::fs::read_to_string(thread?.path().join("schedstat")) {
            nanos += on_processor(&text).context("the kernel doesn't count the time of threads")?;
        }
    }
    Ok(Duration::from_nanos(nanos))
}

/// Starts `program`, warms it up and measures it.
///
/// # Errors
/// When it doesn't run, answers something else, or makes other calls than it is to make; with what it logged.
pub(crate) async fn measure(
    program: &Program,
    scenario: &Scenario,
    endpoint: &Endpoint,
    folder: &Path,
    events: Events,
) -> Result<Warm> {
    with_log(observe(program, scenario, endpoint, folder, events).await, folder)
}

async fn observe(
    program: &Program,
    scenario: &Scenario,
    endpoint: &Endpoint,
    folder: &Path,
    Events { before, measured }: Events,
) -> Result<Warm> {
    let mut running = Running::start(program, scenario, endpoint, folder).await?;
    running.asked().await?;
    running.invoke_times(before as usize).await?;
    let process = running.id()?;
    let start = cpu(process)?;
    let spent = running.invoke_times(measured as usize).await?;
    let used = cpu(process)?.saturating_sub(start);
    running.end().await?;
    Ok(Warm { cpu: used / measured.max(1), wall: median(spent) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_on_a_processor_is_the_first_figure() {
        assert_eq!(on_processor("3714858 21 7\n"), Some(3_714_858));
        assert_eq!(on_processor(""), None);
    }

    #[test]
    fn this_process_has_used_a_processor() {
        assert!(cpu(std::process::id()).unwrap() > Duration::ZERO);
    }
}
