//! What an event takes that can be counted: allocations, and instructions outside of the kernel. Valgrind
//! counts both on the binary that is deployed, whatever else the machine does.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::aws::Endpoint;
use crate::process::{Program, Running, with_log};
use crate::scenario::Scenario;

/// How often it is tried: under valgrind a call may take so long that the function makes it a second time.
const ATTEMPTS: u32 = 3;
/// Events before those that are counted, and those.
const BEFORE: u64 = 20;
const COUNTED: u64 = 100;

/// What one event takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Blocks of memory asked for.
    pub allocations: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Instructions.
    pub instructions: u64,
}

/// Counts what an event takes of the function `binary`.
///
/// # Errors
/// When valgrind is not there, or the function does not as it is to do.
pub(crate) async fn count(
    binary: &Path,
    scenario: &Scenario,
    endpoint: &Endpoint,
    folder: &Path,
) -> Result<Counts> {
    let total = async |tool, read: fn(&str) -> Option<[u64; 2]>, events| {
        let mut attempts = 1;
        loop {
            match with_log(under(tool, binary, scenario, endpoint, folder, events).await, folder) {
                Ok(said) => {
                    return read(&said).with_context(|| format!("{tool} said something else: {said}"));
                }
                Err(error) if attempts == ATTEMPTS => return Err(error),
                Err(_) => attempts += 1,
            }
        }
    };
    let difference = async |tool, read| {
        let start = total(tool, read, BEFORE).await?;
        let end = total(tool, read, BEFORE + COUNTED).await?;
        // What starting takes is in both.
        anyhow::Ok([0, 1].map(|of: usize| end[of].saturating_sub(start[of]).div_ceil(COUNTED)))
    };
    let [bytes, allocations] = difference("dhat", allocated).await?;
    let [instructions, _] = difference("callgrind", executed).await?;
    Ok(Counts { allocations, bytes, instructions })
}

/// Gives the function so many events under a tool of valgrind; gives what the tool says at the end.
async fn under(
    tool: &str,
    binary: &Path,
    scenario: &Scenario,
    endpoint: &Endpoint,
    folder: &Path,
    events: u64,
) -> Result<String> {
    let said = folder.join("valgrind");
    let words = [
        "valgrind".to_owned(),
        format!("--tool={tool}"),
        // Only the totals are wanted.
        format!("--{tool}-out-file=/dev/null"),
        format!("--log-file={}", said.display()),
    ];
    let program = Program(words.map(PathBuf::from).into_iter().chain([binary.to_owned()]).collect());
    let mut running = Running::start(&program, scenario, endpoint, folder).await?;
    running.asked().await?;
    running.invoke_times(usize::try_from(events)?).await?;
    running.end().await?;
    Ok(std::fs::read_to_string(said)?)
}

/// Reads a number with commas.
fn number(text: &str) -> Option<u64> {
    text.replace(',', "").parse().ok()
}

/// Of `==7== Total:     1,234 bytes in 56 blocks`, both.
fn allocated(said: &str) -> Option<[u64; 2]> {
    let line = said.lines().find_map(|line| line.split_once("Total:"))?.1;
    let mut words = line.split_whitespace();
    let bytes = number(words.next()?)?;
    Some([bytes, number(words.nth(2)?)?])
}

/// Of `==7== Collected : 1234`, the number.
fn executed(said: &str) -> Option<[u64; 2]> {
    let line = said.lines().find_map(|line| line.split_once("Collected :"))?.1;
    Some([number(line.trim())?, 0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dhat_says_is_read() {
        let said = "==7== Command: bootstrap\n==7==\n==7== Total:     1,256,120 bytes in 2,025 blocks\n==7== \
                    At t-gmax: 1 bytes in 1 blocks\n";
        assert_eq!(allocated(said), Some([1_256_120, 2_025]));
        assert_eq!(allocated("==7== valgrind: no such tool"), None);
    }

    #[test]
    fn what_callgrind_says_is_read() {
        let said =
            "==7== Events    : Ir\n==7== Collected : 7247606\n==7== \n==7== I   refs:      7,247,606\n";
        assert_eq!(executed(said), Some([7_247_606, 0]));
        assert_eq!(executed(""), None);
    }
}
