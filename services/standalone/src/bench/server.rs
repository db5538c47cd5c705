//! What a server's process uses, and what ours may.

use std::fs;
use std::time::Duration;

use anyhow::bail;

use crate::open_files::raise_limit;

/// Files the program has open besides sockets.
const OTHER_FILES: u64 = 64;

/// What a process has used.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    /// Resident memory now.
    pub(super) rss_bytes: u64,
    /// Processor time so far.
    pub(super) cpu: Duration,
}

/// What a process has used; nothing where there is no `/proc`.
pub(super) fn usage(pid: Option<u32>) -> Option<Usage> {
    let pid = pid?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse_usage(&status, &stat)
}

fn parse_usage(status: &str, stat: &str) -> Option<Usage> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    // The name in parentheses may contain anything; utime and stime are the 12th and 13th after it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    // Linux shows a hundred ticks a second whatever it counts itself.
    let cpu = Duration::from_millis((ticks()? + ticks()?) * 10);
    Some(Usage { rss_bytes: kib * 1_024, cpu })
}

/// Allows this process as many open files as the connections need.
pub(super) fn raise_open_files(connections: u32) -> anyhow::Result<()> {
    let needed = u64::from(connections) + OTHER_FILES;
    if let Some(limit) = raise_limit().filter(|limit| *limit < needed) {
        bail!("{connections} connections need {needed} open files, and {limit} are allowed; see ulimit -n");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_from_proc() {
        let stat = "42 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 4 0 100";
        let usage = parse_usage("Name:\tx\nVmRSS:\t   1024 kB\n", stat).unwrap();
        assert_eq!((usage.rss_bytes, usage.cpu), (1024 * 1024, Duration::from_secs(2)));
        assert!(parse_usage("", stat).is_none());
    }
}
