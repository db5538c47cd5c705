//! Counts the notifications held in all mailboxes.
//!
//! The number changes with every row that becomes held or is removed. The rows that were there at the start
//! are counted by a thread on a snapshot, so that a large store opens as fast as a small one. Until that
//! thread is done, or if it can't read a row, the number is unknown.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use fjall::Iter;

use super::commit_position::NUMBER_KEY;

/// The number of held rows.
#[derive(Debug, Default)]
pub(super) struct HeldCounter {
    /// Rows at the start, all of which are held; empty until they are counted.
    before: OnceLock<u64>,
    /// Change since the start.
    since: AtomicI64,
    /// True once the store is being closed.
    over: AtomicBool,
}

impl HeldCounter {
    pub(super) fn add(&self, rows: usize) {
        self.change(rows, i64::saturating_add);
    }

    pub(super) fn remove(&self, rows: usize) {
        self.change(rows, i64::saturating_sub);
    }

    fn change(&self, rows: usize, change: impl Fn(i64, i64) -> i64) {
        if rows > 0 {
            let by = change(0, i64::try_from(rows).unwrap_or(i64::MAX));
            self.since.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// Returns the number, or `None` until the rows of the start are counted.
    pub(super) fn get(&self) -> Option<u64> {
        let before = *self.before.get()?;
        Some(before.saturating_add_signed(self.since.load(Ordering::Relaxed)))
    }

    /// Ends the counting thread.
    pub(super) fn stop(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Counts the rows of the start.
    pub(super) fn count(self: &Arc<Self>, rows: Iter) {
        let mut count = 0;
        for row in rows {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            match row.key() {
                Ok(key) => count += u64::from(&*key != NUMBER_KEY),
                Err(error) => {
                    let error = shared_telemetry::chain(&error);
                    tracing::warn!(error, "the held notifications could not be counted");
                    return;
                }
            }
        }
        // Set once: one thread counts.
        _ = self.before.set(count);
    }
}
