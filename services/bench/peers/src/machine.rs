//! Where and with what it is measured.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::process::Command;
use std::thread;

use anyhow::Context as _;

use crate::limits::open_files;
use crate::results::Machine;
use crate::systems::Tools;

pub(crate) fn machine() -> anyhow::Result<Machine> {
    let cpus = fs::read_to_string("/proc/cpuinfo").context("the processor is not known")?;
    let memory = fs::read_to_string("/proc/meminfo").context("the memory is not known")?;
    let kib = value(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").context("the kernel is not known")?;
    Ok(Machine {
        processor: value(&cpus, "model name").unwrap_or("unknown").to_owned(),
        processors: thread::available_parallelism()?.get(),
        memory_gib: kib.unwrap_or(0).div_ceil(1_048_576),
        kernel: kernel.trim().to_owned(),
        open_files: open_files()?,
    })
}

/// The value of `name : value`.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, v)| v.trim())
}

/// What the programs say of themselves.
pub(crate) fn versions(tools: &Tools) -> BTreeMap<String, String> {
    let mut versions = BTreeMap::new();
    let mut ask = |name: &str, program: Option<&OsStr>, argument: &str| {
        let Some(program) = program else { return };
        let mut command = Command::new(program);
        if let Some(libraries) = tools.libraries.as_ref().filter(|_| name == "mosquitto") {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        // mosquitto knows no option for it, and says it with its help.
        let output = command.arg(argument).output().ok();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        if let Some(version) = text.as_deref().and_then(version) {
            versions.insert(name.to_owned(), version.to_owned());
        }
    };
    ask("Tidings", tools.tidings.as_deref().map(AsRef::as_ref), "--version");
    ask("mosquitto", tools.mosquitto.as_deref().map(AsRef::as_ref), "-h");
    ask("nats-server", tools.nats.as_deref().map(AsRef::as_ref), "--version");
    ask("Node", tools.node_server.as_ref().map(|_| OsStr::new("node")), "--version");
    versions
}

/// The first word of numbers and points.
fn version(text: &str) -> Option<&str> {
    let words = text.split_whitespace().map(|word| word.trim_start_matches('v'));
    words
        .into_iter()
        .find(|word| word.contains('.') && word.starts_with(|first: char| first.is_ascii_digit()))
}

/// Major and minor.
pub(crate) fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
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
        assert_eq!(major_minor("2.9.10"), Some((2, 9)));
        assert_eq!(major_minor("2"), None);
    }

    #[test]
    fn values_are_found_by_their_names() {
        assert_eq!(value("a\t: 1\nb: 2 kB\n", "b"), Some("2 kB"));
        assert_eq!(value("a: 1", "b"), None);
    }
}
