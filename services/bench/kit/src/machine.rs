//! Where and with what it is measured.

use std::fs;
use std::process::Command;
use std::thread;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::limits::open_files;

/// Where it was measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// How many of them this process may use.
    pub processors: usize,
    /// Memory.
    pub memory_gib: u64,
    /// The kernel's version.
    pub kernel: String,
    /// How many files a process may have open.
    pub open_files: u64,
}

impl Machine {
    /// This one.
    ///
    /// # Errors
    /// There is no `/proc`.
    pub fn here() -> anyhow::Result<Self> {
        let cpus = fs::read_to_string("/proc/cpuinfo").context("the processor is not known")?;
        let memory = fs::read_to_string("/proc/meminfo").context("the memory is not known")?;
        let kib = value(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").context("the kernel is not known")?;
        Ok(Self {
            processor: value(&cpus, "model name").unwrap_or("unknown").to_owned(),
            processors: thread::available_parallelism()?.get(),
            memory_gib: kib.unwrap_or(0).div_ceil(1_048_576),
            kernel: kernel.trim().to_owned(),
            open_files: open_files()?,
        })
    }

    /// For a page.
    pub fn description(&self) -> String {
        format!(
            "{} × {}, {} GiB of memory, Linux {}; server and load generator together",
            self.processors, self.processor, self.memory_gib, self.kernel
        )
    }
}

/// How much of the processors' time the host of a virtual machine keeps for others.
#[derive(Debug)]
pub struct Stolen(Option<(u64, u64)>);

impl Stolen {
    /// From now on.
    pub fn begin() -> Self {
        Self(ticks())
    }

    /// How much it was since, in percent; nothing where the kernel does not say.
    pub fn percent(&self) -> Option<f64> {
        let ((stolen, all), (stolen_now, all_now)) = (self.0?, ticks()?);
        let passed = all_now.saturating_sub(all);
        (passed > 0).then(|| 100.0 * stolen_now.saturating_sub(stolen) as f64 / passed as f64)
    }
}

/// Ticks that were stolen, and all, of all processors.
fn ticks() -> Option<(u64, u64)> {
    stolen(&fs::read_to_string("/proc/stat").ok()?)
}

/// The eighth number is what was stolen (<https://man7.org/linux/man-pages/man5/proc_stat.5.html>); those behind it are
/// in others already.
fn stolen(stat: &str) -> Option<(u64, u64)> {
    let numbers = stat.strip_prefix("cpu ")?.lines().next()?.split_whitespace().take(8);
    let numbers: Vec<u64> = numbers.map(str::parse).collect::<Result<_, _>>().ok()?;
    Some((*numbers.get(7)?, numbers.iter().sum()))
}

/// The value of `name : value`.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, v)| v.trim())
}

/// What a program says of its version.
pub fn version_of(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    version(&String::from_utf8_lossy(&output.stdout)).map(str::to_owned)
}

/// The first word of numbers and points.
fn version(text: &str) -> Option<&str> {
    let words = text.split_whitespace().map(|word| word.trim_start_matches('v'));
    words
        .into_iter()
        .find(|word| word.contains('.') && word.starts_with(|first: char| first.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stolen_is_the_eighth_number() {
        assert_eq!(stolen("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 1 1 1 1 1 1 1 1 1\n"), Some((8, 36)));
        assert_eq!(stolen("cpu  1 2 3\n"), None);
        assert!(Stolen::begin().percent().is_none_or(|percent| (0.0..=100.0).contains(&percent)));
    }

    #[test]
    fn versions_are_found_in_what_programs_say() {
        let said =
            ["nats-server: v2.9.10\n", "mosquitto version 2.0.11\n\nhelp", "v20.20.2", "tidings 0.1.0"];
        assert_eq!(said.map(version), ["2.9.10", "2.0.11", "20.20.2", "0.1.0"].map(Some));
        assert_eq!(version("nothing at all."), None);
    }

    #[test]
    fn values_are_found_by_their_names() {
        assert_eq!(value("a\t: 1\nb: 2 kB\n", "b"), Some("2 kB"));
        assert_eq!(value("a: 1", "b"), None);
    }
}
