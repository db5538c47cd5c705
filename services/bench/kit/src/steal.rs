//! Steal time: the processor time that the host of a virtual machine gives to others.

use std::fs;

/// Measures steal time from its creation on.
#[derive(Debug)]
pub struct StealTime(Option<Ticks>);

/// Processor time since the machine's start, over all processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    stolen: u64,
    total: u64,
}

impl StealTime {
    /// Starts the measurement.
    pub fn start() -> Self {
        Self(ticks())
    }

    /// Returns the share of steal time since the start in percent, or `None` if the kernel doesn't report it.
    pub fn percent(&self) -> Option<f64> {
        let (before, now) = (self.0?, ticks()?);
        let passed = now.total.saturating_sub(before.total);
        (passed > 0).then(|| 100.0 * now.stolen.saturating_sub(before.stolen) as f64 / passed as f64)
    }
}

fn ticks() -> Option<Ticks> {
    parse(&fs::read_to_string("/proc/stat").ok()?)
}

/// Reads the line of all processors. Its eighth number is the steal time, and those behind it are part of
/// others (<https://man7.org/linux/man-pages/man5/proc_stat.5.html>).
fn parse(stat: &str) -> Option<Ticks> {
    let numbers = stat.strip_prefix("cpu ")?.lines().next()?.split_whitespace().take(8);
    let numbers: Vec<u64> = numbers.map(str::parse).collect::<Result<_, _>>().ok()?;
    Some(Ticks { stolen: *numbers.get(7)?, total: numbers.iter().sum() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_time_is_the_eighth_number() {
        let ticks = parse("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 1 1 1 1 1 1 1 1 1\n");
        assert_eq!(ticks, Some(Ticks { stolen: 8, total: 36 }));
        assert_eq!(parse("cpu  1 2 3\n"), None);
        assert!(StealTime::start().percent().is_none_or(|percent| (0.0..=100.0).contains(&percent)));
    }
}
