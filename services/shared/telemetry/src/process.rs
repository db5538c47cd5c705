//! Resource usage of a process.

use std::fs;
use std::time::Duration;

/// Memory and processor time of a process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
    /// Processor time since the start of the process.
    pub cpu: Duration,
}

/// Returns the usage of a process, or `None` without a process id, without such a process, or where the
/// system has no `/proc`.
pub fn usage(pid: Option<u32>) -> Option<Usage> {
    let pid = pid?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse_usage(&status, &stat)
}

fn parse_usage(status: &str, stat: &str) -> Option<Usage> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    // The name in parentheses may contain anything. utime and stime are the 12th and 13th fields after it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    // Linux reports 100 ticks a second, whatever its internal rate.
    let cpu = Duration::from_millis((ticks()? + ticks()?) * 10);
    Some(Usage { rss_bytes: kib * 1_024, cpu })
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
