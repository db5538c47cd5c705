//! Decides on which threads the disk is read.
//!
//! A slow read sends those after it to threads for blocking work, for a while: a disk that stalls holds up one thread of
//! the runtime, once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// Most reads at a time on threads for blocking work.
const ON_BLOCKING_THREADS: usize = 16;

/// A read that takes longer is slow: the disk stalls. A page from the cache takes a tenth of a millisecond, one from a
/// solid-state disk one or two, and a thread that waits for a processor among others some more.
const SLOW: Duration = Duration::from_millis(20);

/// Time after a slow read in which reads are made on threads for blocking work.
const CAUTION: Duration = Duration::from_secs(10);

/// Decides on which threads the disk is read.
#[derive(Debug)]
pub(super) struct ReadThreads {
    opened: Instant,
    /// End of the caution after the last slow read, in milliseconds since `opened`.
    cautious_until: AtomicU64,
    /// Permit for the read on a thread of the runtime.
    pub(super) here: Semaphore,
    /// Permits for reads on threads for blocking work.
    pub(super) elsewhere: Arc<Semaphore>,
}

impl ReadThreads {
    pub(super) fn new() -> Self {
        Self {
            opened: Instant::now(),
            cautious_until: AtomicU64::new(0),
            here: Semaphore::new(1),
            elsewhere: Arc::new(Semaphore::new(ON_BLOCKING_THREADS)),
        }
    }

    /// Returns true if reads are to be made on threads for blocking work.
    pub(super) fn is_cautious(&self, now: Instant) -> bool {
        now.duration_since(self.opened) < Duration::from_millis(self.cautious_until.load(Ordering::Relaxed))
    }

    /// Notes a read.
    pub(super) fn note(&self, start: Instant, end: Instant) {
        if end.duration_since(start) > SLOW {
            let until = (end + CAUTION).duration_since(self.opened).as_millis();
            self.cautious_until.store(u64::try_from(until).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_read_makes_cautious_for_a_while() {
        let reads = ReadThreads::new();
        let start = reads.opened + Duration::from_secs(5);
        assert!(!reads.is_cautious(start));
        reads.note(start, start + SLOW);
        assert!(!reads.is_cautious(start + SLOW));
        let end = start + SLOW + Duration::from_millis(1);
        reads.note(start, end);
        assert!(reads.is_cautious(end) && reads.is_cautious(start + CAUTION));
        assert!(!reads.is_cautious(end + CAUTION));
    }
}
