//! Allocations and instructions of an event, counted by valgrind on the deployed binary.
//!
//! The counts do not depend on what else the machine does. Instructions of the kernel are not counted.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::aws::Endpoint;
use crate::process::{FunctionProcess, Program, with_log};
use crate::scenario::Scenario;

/// Largest number of attempts. Under valgrind a call may take so long that the function repeats it.
const ATTEMPTS: u32 = 3;
/// Events that warm the function up.
const WARM_UP: u64 = 20;
/// Events that are counted after them.
const COUNTED: u64 = 100;

/// Counts of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Number of allocations.
    pub allocations: u64,
    /// Allocated bytes.
    pub bytes: u64,
    /// Instructions outside of the kernel.
    pub instructions: u64,
}

/// Counts for an event of the function in `binary`: the difference of two processes with more and fewer events.
///
/// # Errors
/// There is no valgrind, or the function fails, gives another answer or makes other calls than the scenario has.
pub(crate) async fn count(
    binary: &Path,
    scenario: &Scenario,
    endpoint: &Endpoint,
    folder: &Path,
) -> Result<Counts> {
    let total = async |tool, read: fn(&str) -> Option<[u64; 2]>, events| {
        let mut attempts = 1;
        loop {
            match with_log(run_under(tool, binary, scenario, endpoint, folder, events).await, folder) {
                Ok(output) => {
                    return read(&output)
                        .with_context(|| format!("can't read the output of {tool}: {output}"));
                }
                Err(error) if attempts == ATTEMPTS => return Err(error),
                Err(_) => attempts += 1,
            }
        }
    };
    let difference = async |tool, read| {
        let start = total(tool, read, WARM_UP).await?;
        let end = total(tool, read, WARM_UP + COUNTED).await?;
        // Both totals include the start.
        anyhow::Ok([0, 1].map(|of: usize| end[of].saturating_sub(start[of]).div_ceil(COUNTED)))
    };
    let [bytes, allocations] = difference("dhat", allocated).await?;
    let [instructions, _] = difference("callgrind", executed).await?;
    Ok(Counts { allocations, bytes, instructions })
}

/// Gives the function `events` events under a tool of valgrind, and returns the tool's output.
async fn run_under(
    tool: &str,
    binary: &Path,
    scenario: &Scenario,
    endpoint: &Endpoint,
    folder: &Path,
    events: u64,
) -> Result<String> {
    let output = folder.join("valgrind");
    let words = [
        "valgrind".to_owned(),
        format!("--tool={tool}"),
        // The totals are in the log, so the details are not needed.
        format!("--{tool}-out-file=/dev/null"),
        format!("--log-file={}", output.display()),
    ];
    let program = Program(words.map(PathBuf::from).into_iter().chain([binary.to_owned()]).collect());
    let mut process = FunctionProcess::start(&program, scenario, endpoint, folder).await?;
    process.wait_until_asked().await?;
    process.invoke_times(usize::try_from(events)?).await?;
    process.end().await?;
    Ok(std::fs::read_to_string(output)?)
}

/// Parses a number with thousands separators.
fn number(text: &str) -> Option<u64> {
    text.replace(',', "").parse().ok()
}

/// Reads both numbers of `==7== Total:     1,234 bytes in 56 blocks`.
fn allocated(output: &str) -> Option<[u64; 2]> {
    let line = output.lines().find_map(|line| line.split_once("Total:"))?.1;
    let mut words = line.split_whitespace();
    let bytes = number(words.next()?)?;
    Some([bytes, number(words.nth(2)?)?])
}

/// Reads the number of `==7== Collected : 1234`.
fn executed(output: &str) -> Option<[u64; 2]> {
    let line = output.lines().find_map(|line| line.split_once("Collected :"))?.1;
    Some([number(line.trim())?, 0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_of_dhat_are_read() {
        let output = "==7== Command: bootstrap\n==7==\n==7== Total:     1,256,120 bytes in 2,025 blocks\n==7== \
                    At t-gmax: 1 bytes in 1 blocks\n";
        assert_eq!(allocated(output), Some([1_256_120, 2_025]));
        assert_eq!(allocated("==7== valgrind: no such tool"), None);
    }

    #[test]
    fn total_of_callgrind_is_read() {
        let output =
            "==7== Events    : Ir\n==7== Collected : 7247606\n==7== \n==7== I   refs:      7,247,606\n";
        assert_eq!(executed(output), Some([7_247_606, 0]));
        assert_eq!(executed(""), None);
    }
}
