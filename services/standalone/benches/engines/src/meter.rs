//! Measures of this process and of a directory.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// Clock ticks per second in `/proc/<pid>/stat` (fixed in the Linux ABI of
/// all common platforms).
const TICKS: u32 = 100;

/// User and system time of all threads so far.
pub fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The command name may hold spaces; fields are counted after its ')'.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut ticks = fields.split_whitespace().skip(11).take(2);
    let mut next = || {
        ticks
            .next()
            .and_then(|t| t.parse::<u32>().ok())
            .unwrap_or(0)
    };
    Duration::from_secs(1) * (next() + next()) / TICKS
}

/// Resident memory in MiB: (anonymous, total). Pages mapped from files are in
/// the total only.
pub fn memory() -> (f64, f64) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find(|l| l.starts_with(name));
        let kib = line.and_then(|l| l.split_whitespace().nth(1)?.parse::<f64>().ok());
        kib.unwrap_or(0.0) / 1024.0
    };
    (field("RssAnon:"), field("VmRSS:"))
}

/// Space allocated to the files below `dir`, in MiB.
pub fn disk(dir: &Path) -> f64 {
    fn blocks(dir: &Path) -> u64 {
        let Ok(entries) = fs::read_dir(dir) else {
            return 0;
        };
        let each = |entry: fs::DirEntry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => blocks(&entry.path()),
            Ok(meta) => meta.blocks(),
            Err(_) => 0,
        };
        entries.flatten().map(each).sum()
    }
    blocks(dir) as f64 * 512.0 / 1024.0 / 1024.0
}
