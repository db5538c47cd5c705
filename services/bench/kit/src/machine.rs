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
