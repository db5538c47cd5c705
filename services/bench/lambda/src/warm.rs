//! Processor time and duration of an event in a warm process.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::aws::Endpoint;
use crate::median::median;
use crate::process::{FunctionProcess, Program, with_log};
use crate::scenario::Scenario;

/// Times of one process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventTimes {
    /// Mean processor time of an event, user and system, over all threads.
    pub cpu: Duration,
    /// Median time from an event to its answer.
    pub wall: Duration,
}

/// Number of events for a process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Events {
    /// Events before the measurement.
    pub warm_up: u32,
    /// Events of the measurement.
    pub measured: u32,
}

/// Returns a thread's nanoseconds on a processor, the first number of its `schedstat`
/// (<https://docs.kernel.org/scheduler/sched-stats.html>).
fn on_processor(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().next()?.parse().ok()
}

/// Returns the processor time of a process so far.
///
/// Threads that have ended are not counted. Those that run functions do not end.
fn cpu(process: u32) -> Result<Duration> {
    let mut nanos = 0;
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
        // A thread may end meanwhile.
        if let Ok(text) = std::fs::read_to_string(thread?.path().join("schedstat")) {
            nanos += on_processor(&text).context("the kernel does not count the time of threads")?;
        }
    }
    Ok(Duration::from_nanos(nanos))
}

/// Starts `program`, warms it up and measures it.
///
/// # Errors
/// The function fails, gives another answer or makes other calls than the scenario has. The error has its log.
pub(crate) async fn measure(
    program: &Program,
    scenario: &Scenario,
    endpoint: &Endpoint,
    folder: &Path,
    events: Events,
) -> Result<EventTimes> {
    with_log(observe(program, scenario, endpoint, folder, events).await, folder)
}

async fn observe(
    program: &Program,
    scenario: &Scenario,
    endpoint: &Endpoint,
    folder: &Path,
    Events { warm_up, measured }: Events,
) -> Result<EventTimes> {
    let mut process = FunctionProcess::start(program, scenario, endpoint, folder).await?;
    process.wait_until_asked().await?;
    process.invoke_times(warm_up as usize).await?;
    let pid = process.id()?;
    let start = cpu(pid)?;
    let spent = process.invoke_times(measured as usize).await?;
    let used = cpu(pid)?.saturating_sub(start);
    process.end().await?;
    Ok(EventTimes { cpu: used / measured.max(1), wall: median(spent) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_the_first_number() {
        assert_eq!(on_processor("3714858 21 7\n"), Some(3_714_858));
        assert_eq!(on_processor(""), None);
    }

    #[test]
    fn processor_time_of_this_process_is_positive() {
        assert!(cpu(std::process::id()).unwrap() > Duration::ZERO);
    }
}
