//! The machine that was measured on.

use std::fs;
use std::thread;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::open_files;

/// The hardware and limits that results depend on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// The processor's model name.
    pub processor: String,
    /// Number of processors that this process may use.
    pub processors: usize,
    /// Memory in GiB, rounded up.
    pub memory_gib: u64,
    /// Version of the kernel.
    pub kernel: String,
    /// Number of files that a process may have open.
    pub open_files: u64,
}

impl Machine {
    /// Describes the machine that this process runs on.
    ///
    /// # Errors
    /// There is no `/proc`.
    pub fn current() -> anyhow::Result<Self> {
        let cpus = fs::read_to_string("/proc/cpuinfo").context("can't read the processor's name")?;
        let memory = fs::read_to_string("/proc/meminfo").context("can't read the size of the memory")?;
        let kib = value(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        let kernel =
            fs::read_to_string("/proc/sys/kernel/osrelease").context("can't read the kernel's version")?;
        Ok(Self {
            processor: value(&cpus, "model name").unwrap_or("unknown").to_owned(),
            processors: thread::available_parallelism()?.get(),
            memory_gib: kib.unwrap_or(0).div_ceil(1_048_576),
            kernel: kernel.trim().to_owned(),
            open_files: open_files::limit()?,
        })
    }

    /// Describes the machine in a clause, for a page.
    pub fn description(&self) -> String {
        format!(
            "{} × {}, {} GiB of memory, Linux {}; server and load generator together",
            self.processors, self.processor, self.memory_gib, self.kernel
        )
    }
}

/// Returns the value of the first `name : value` line.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, v)| v.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_name() {
        assert_eq!(value("a\t: 1\nb: 2 kB\n", "b"), Some("2 kB"));
        assert_eq!(value("a: 1", "b"), None);
    }
}
