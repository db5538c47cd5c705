//! What arrived, and what did not.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hdrhistogram::Histogram;

use crate::message::{Found, now};

/// Longest latency told apart: an hour, in microseconds.
const MAX_MICROS: u64 = 3_600_000_000;

/// A histogram of microseconds with three significant digits.
#[allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "these bounds are constant and within what the constructor allows"
)]
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MAX_MICROS, 3).expect("constant bounds")
}

/// How long a [`Quarters`] is, nanoseconds.
const QUARTER: u64 = 250_000_000;

/// Latencies by quarters of a second: a pause of the machine that nobody measured is in some of them only, and does not
/// decide what is typical.
#[derive(Debug)]
pub struct Quarters {
    /// The present one,
    number: u64,
    /// and what was recorded in it.
    present: Histogram<u64>,
    /// The 99th percentiles of those before it, microseconds.
    p99s: Vec<u64>,
}

impl Quarters {
    fn new() -> Self {
        Self { number: 0, present: histogram(), p99s: Vec::new() }
    }

    /// Records a latency of what came at a time of the generator's clock.
    fn record(&mut self, at: u64, micros: u64) {
        if at / QUARTER != self.number {
            self.number = at / QUARTER;
            self.p99s.extend(self.present_p99());
            self.present.reset();
        }
        self.present.saturating_record(micros);
    }

    fn present_p99(&self) -> Option<u64> {
        (!self.present.is_empty()).then(|| self.present.value_at_quantile(0.99))
    }

    /// The median of the quarters' 99th percentiles, microseconds; nothing, of nothing.
    pub fn typical_p99(&self) -> Option<u64> {
        let mut p99s: Vec<_> = self.p99s.iter().copied().chain(self.present_p99()).collect();
        p99s.sort_unstable();
        p99s.get(p99s.len() / 2).copied()
    }
}

/// Counts over many connections.
#[derive(Debug)]
pub struct Tally {
    /// Notifications that came for the first time.
    pub received: u64,
    /// Notifications that a connection had already.
    pub duplicates: u64,
    /// Notifications that came after one with a higher number.
    pub reordered: u64,
    /// From the intended time of sending to receipt, microseconds.
    pub latency: Histogram<u64>,
    /// The same by quarters of a second.
    pub quarters: Quarters,
    /// When the last one came, by the generator's clock.
    pub last: u64,
    /// Connections that ended on their own.
    pub lost: u64,
    /// `received`, for the threads that send.
    arrivals: Arc<AtomicU64>,
}

impl Tally {
    /// Nothing yet.
    pub fn new() -> Rc<RefCell<Self>> {
        Self::with_arrivals(Arc::default())
    }

    /// Nothing yet; what comes is counted where other threads see it too.
    pub fn with_arrivals(arrivals: Arc<AtomicU64>) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            received: 0,
            duplicates: 0,
            reordered: 0,
            latency: histogram(),
            quarters: Quarters::new(),
            last: 0,
            lost: 0,
            arrivals,
        }))
    }
}

/// What one receiver has seen, as bits: compact, and right in whatever order they come.
#[derive(Debug, Default)]
pub struct Seen {
    bits: Vec<u64>,
    next: u32,
    /// Of it, came after one with a higher number.
    pub reordered: u64,
}

impl Seen {
    /// Counts a notification.
    pub fn count(&mut self, found: &Found<'_>, tally: &mut Tally) {
        let at = now();
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
        // One thread writes.
        tally.arrivals.store(tally.received, Ordering::Relaxed);
        if found.number < self.next {
            tally.reordered += 1;
            self.reordered += 1;
        } else {
            self.next = found.number + 1;
        }
        let micros = (at.saturating_sub(found.time) / 1_000).max(1);
        tally.latency.saturating_record(micros);
        tally.quarters.record(at, micros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_in_one_quarter_and_not_typical() {
        let mut quarters = Quarters::new();
        assert_eq!(quarters.typical_p99(), None);
        for (quarter, micros) in [(0, 100), (1, 100), (2, 50_000), (3, 110), (4, 120)] {
            for n in 0..100 {
                quarters.record(quarter * QUARTER + n, micros);
            }
        }
        assert_eq!(quarters.typical_p99(), Some(110));
    }

    #[test]
    fn duplicates_and_changes_of_order_are_counted() {
        let tally = Tally::new();
        let mut tally = tally.borrow_mut();
        let mut seen = Seen::default();
        for number in [0, 1, 3, 2, 2, 200] {
            seen.count(&Found { sequence: None, time: 0, number }, &mut tally);
        }
        assert_eq!((tally.received, tally.duplicates, tally.reordered), (5, 1, 1));
        assert_eq!(tally.latency.len(), 5);
    }
}
