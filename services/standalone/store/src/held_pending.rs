//! The held notifications of one user that have no row: they were pushed, and their receipts are awaited.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use super::codec::Seq;
use super::queued::Queued;

/// Held notifications in pending records, in ascending order. They come in order, and most leave from the front, as
/// receipts do.
#[derive(Default)]
pub(super) struct HeldPending(VecDeque<Queued>);

impl HeldPending {
    fn position(&self, seq: Seq) -> Result<usize, usize> {
        if self.0.front().is_some_and(|first| first.seq == seq) {
            return Ok(0);
        }
        self.0.binary_search_by_key(&seq, |held| held.seq)
    }

    /// Adds a notification. Most are the newest ones.
    pub(super) fn insert(&mut self, held: Queued) {
        if self.0.back().is_none_or(|last| last.seq < held.seq) {
            self.0.push_back(held);
            return;
        }
        match self.position(held.seq) {
            Ok(at) => self.0[at] = held,
            Err(at) => self.0.insert(at, held),
        }
    }

    pub(super) fn remove(&mut self, seq: Seq) -> Option<Queued> {
        let at = self.position(seq).ok()?;
        let held = self.0.remove(at);
        // An idle user does not keep the memory of a burst.
        if self.0.is_empty() {
            self.0 = VecDeque::new();
        }
        held
    }

    pub(super) fn contains(&self, seq: Seq) -> bool {
        self.position(seq).is_ok()
    }

    pub(super) fn get_mut(&mut self, seq: Seq) -> Option<&mut Queued> {
        let at = self.position(seq).ok()?;
        self.0.get_mut(at)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Queued> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Queued> {
        self.0.iter_mut()
    }

    pub(super) fn range(&self, range: RangeInclusive<Seq>) -> impl Iterator<Item = &Queued> {
        let first = self.0.partition_point(|held| held.seq < *range.start());
        self.0.range(first..).take_while(move |held| held.seq <= *range.end())
    }
}
