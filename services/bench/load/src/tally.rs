//! Counts of received notifications: arrivals, duplicates, changes of order, latencies.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::clock;
use crate::latency::histogram;
use crate::notification::FoundNotification;

/// Length of a latency window, in nanoseconds.
const WINDOW_NANOS: u64 = 250_000_000;

/// Latencies in windows of 250 ms.
///
/// A pause of the machine falls into few windows, so the median of their percentiles doesn't show it.
#[derive(Debug)]
pub struct LatencyWindows {
    /// Number of the current window, by the generator's clock.
    current: u64,
    /// Latencies of the current window.
    latencies: Histogram<u64>,
    /// 99th percentiles of the windows before it, in microseconds.
    p99s: Vec<u64>,
}

impl LatencyWindows {
    fn new() -> Self {
        Self { current: 0, latencies: histogram(), p99s: Vec::new() }
    }

    /// Records the latency of an arrival at `at`, a time of the generator's clock.
    fn record(&mut self, at: u64, micros: u64) {
        if at / WINDOW_NANOS != self.current {
            self.current = at / WINDOW_NANOS;
            self.p99s.extend(self.current_p99());
            self.latencies.reset();
        }
        self.latencies.saturating_record(micros);
    }

    fn current_p99(&self) -> Option<u64> {
        (!self.latencies.is_empty()).then(|| self.latencies.value_at_quantile(0.99))
    }

    /// Returns the median of the windows' 99th percentiles in microseconds, or `None` if nothing was recorded.
    pub fn median_p99(&self) -> Option<u64> {
        let mut p99s: Vec<_> = self.p99s.iter().copied().chain(self.current_p99()).collect();
        p99s.sort_unstable();
        p99s.get(p99s.len() / 2).copied()
    }
}

/// Counts over many connections of one thread.
#[derive(Debug)]
pub struct Tally {
    /// Notifications that arrived, duplicates not included.
    pub received: u64,
    /// Notifications that their receiver already had.
    pub duplicates: u64,
    /// Notifications that arrived after one with a higher number.
    pub reordered: u64,
    /// Time from the intended send time to arrival, in microseconds.
    pub latency: Histogram<u64>,
    /// The same latencies in windows.
    pub latency_windows: LatencyWindows,
    /// Time of the last arrival, by the generator's clock.
    pub last: u64,
    /// Connections that the server ended.
    pub connections_lost: u64,
    /// Copy of `received` for the threads that send.
    arrivals: Arc<AtomicU64>,
}

impl Tally {
    /// Creates a tally at zero.
    pub fn new() -> Rc<RefCell<Self>> {
        Self::with_arrivals(Arc::default())
    }

    /// Creates a tally at zero that copies its count of arrivals to `arrivals`, for other threads to read.
    pub fn with_arrivals(arrivals: Arc<AtomicU64>) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            received: 0,
            duplicates: 0,
            reordered: 0,
            latency: histogram(),
            latency_windows: LatencyWindows::new(),
            last: 0,
            connections_lost: 0,
            arrivals,
        }))
    }

    /// Returns the time from `began`, by the generator's clock, to the last arrival.
    pub fn elapsed_since(&self, began: u64) -> Duration {
        Duration::from_nanos(self.last.saturating_sub(began))
    }
}

/// The numbers of the notifications that one receiver has, as a bit set.
///
/// It is correct for any order of arrival and takes a bit for each notification.
#[derive(Debug, Default)]
pub struct ReceivedNumbers {
    bits: Vec<u64>,
    /// The highest number received, plus one.
    next: u32,
    /// Notifications that arrived after one with a higher number.
    pub reordered: u64,
}

impl ReceivedNumbers {
    /// Counts a notification.
    pub fn count(&mut self, found: &FoundNotification<'_>, tally: &mut Tally) {
        let at = clock::now();
        tally.last = at;
        let (word, bit) = (found.number as usize / 64, 1_u64 << (found.number % 64));
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        if self.bits[word] & bit != 0 {
            tally.duplicates += 1;
            return;
        }
        self.bits[word] |= bit;
        tally.received += 1;
        // Only this thread writes, and readers need no other data of it.
        tally.arrivals.store(tally.received, Ordering::Relaxed);
        if found.number < self.next {
            tally.reordered += 1;
            self.reordered += 1;
        } else {
            self.next = found.number + 1;
        }
        let micros = (at.saturating_sub(found.time) / 1_000).max(1);
        tally.latency.saturating_record(micros);
        tally.latency_windows.record(at, micros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pause_in_one_window_leaves_the_median() {
        let mut windows = LatencyWindows::new();
        assert_eq!(windows.median_p99(), None);
        for (window, micros) in [(0, 100), (1, 100), (2, 50_000), (3, 110), (4, 120)] {
            for n in 0..100 {
                windows.record(window * WINDOW_NANOS + n, micros);
            }
        }
        assert_eq!(windows.median_p99(), Some(110));
    }

    #[test]
    fn duplicates_and_reordering_are_counted() {
        let tally = Tally::new();
        let mut tally = tally.borrow_mut();
        let mut received = ReceivedNumbers::default();
        for number in [0, 1, 3, 2, 2, 200] {
            received.count(&FoundNotification { sequence: None, time: 0, number }, &mut tally);
        }
        assert_eq!((tally.received, tally.duplicates, tally.reordered), (5, 1, 1));
        assert_eq!(tally.latency.len(), 5);
    }
}
