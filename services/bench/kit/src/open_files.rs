//! The limit of open files.

use std::fs;

use anyhow::Context as _;

/// Returns the number of files that this process and the servers it starts may have open.
///
/// # Errors
/// There is no `/proc`.
pub fn limit() -> anyhow::Result<u64> {
    let limits = fs::read_to_string("/proc/self/limits").context("can't read the limit of open files")?;
    parse(&limits).context("/proc/self/limits has no limit of open files")
}

fn parse(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let soft = line.split_whitespace().next()?;
    if soft == "unlimited" { Some(u64::MAX) } else { soft.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soft_limit_counts() {
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024   4096   files\n";
        assert_eq!(parse(limits), Some(1_024));
        assert_eq!(parse("Max open files unlimited unlimited files"), Some(u64::MAX));
        assert_eq!(parse(""), None);
    }
}
