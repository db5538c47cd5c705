//! What arrived, and what did not.

use std::cell::RefCell;
use std::rc::Rc;

use hdrhistogram::Histogram;

use super::message::{Found, now};

/// Longest latency told apart: an hour, in microseconds.
const MAX_MICROS: u64 = 3_600_000_000;

/// A histogram of microseconds with three significant digits.
#[allow(clippy::expect_used, reason = "these bounds are constant and within what the constructor allows")]
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MAX_MICROS, 3).expect("constant bounds")
}

/// Counts over all connections.
pub(super) struct Tally {
    pub(super) received: u64,
    pub(super) duplicates: u64,
    pub(super) reordered: u64,
    pub(super) latency: Histogram<u64>,
    /// When the last one came.
    pub(super) last: u64,
    /// Connections that ended on their own.
    pub(super) lost: u64,
}

impl Tally {
    pub(super) fn new() -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            received: 0,
            duplicates: 0,
            reordered: 0,
            latency: histogram(),
            last: 0,
            lost: 0,
        }))
    }
}

/// What one connection has seen, as bits: compact, and right in whatever order they come.
#[derive(Default)]
pub(super) struct Seen {
    bits: Vec<u64>,
    next: u32,
}

impl Seen {
    /// Counts a notification.
    pub(super) fn count(&mut self, found: &Found<'_>, tally: &mut Tally) {
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
        if found.number < self.next {
            tally.reordered += 1;
        } else {
            self.next = found.number + 1;
        }
        tally.latency.saturating_record((at.saturating_sub(found.time) / 1_000).max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
