//! The generator's clock: monotonic nanoseconds, the same for all threads of the process.

use std::sync::OnceLock;
use std::time::Instant;

/// Returns the nanoseconds since the clock was first read.
pub fn now() -> u64 {
    nanos(Instant::now())
}

/// Converts an instant to this clock. Instants before the first reading are 0.
pub fn nanos(at: Instant) -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    u64::try_from(at.saturating_duration_since(start).as_nanos()).unwrap_or(u64::MAX)
}
