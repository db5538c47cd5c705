//! The room on the disk, asked for rarely.
//!
//! Asking the system takes about as long as a tenth of a commit, and every commit needs the answer. So an answer is
//! used again for a short time, unless the store has written much since.

use std::sync::Mutex;
use std::time::Duration;

use shared_sync::IgnorePoison as _;
use tokio::time::Instant;

/// Longest time for which an answer is used.
const MAX_AGE: Duration = Duration::from_millis(100);

/// Part of the room that the store may have written since the answer. Twice as much is on the disk then, because rows
/// in the journal are written to a table too; so half of the room is left at least.
const WRITTEN_PART: u64 = 4;

/// The last answer of the system.
#[derive(Debug, Clone, Copy)]
struct Measured {
    free: u64,
    /// Bytes that the store had written.
    written: u64,
    at: Instant,
}

impl Measured {
    /// Returns true if the disk certainly still has `needed` bytes, as far as the store writes to it.
    fn still_has(&self, needed: u64, written: u64, now: Instant) -> bool {
        // An engine that was reopened counts anew.
        let Some(since) = written.checked_sub(self.written) else { return false };
        let Some(room) = self.free.checked_sub(needed) else { return false };
        now.saturating_duration_since(self.at) < MAX_AGE && since < room / WRITTEN_PART
    }
}

/// Decides if the disk has room.
#[derive(Debug, Default)]
pub(super) struct DiskRoom(Mutex<Option<Measured>>);

impl DiskRoom {
    /// Returns true if the disk has at least `needed` free bytes. `written` is the number of bytes that the store has
    /// written so far, and `measure` asks the system for the free ones.
    pub(super) fn has(&self, needed: u64, written: u64, now: Instant, measure: impl FnOnce() -> u64) -> bool {
        let mut last = self.0.lock().ignore_poison();
        if last.is_some_and(|last| last.still_has(needed, written, now)) {
            return true;
        }
        let free = measure();
        *last = Some(Measured { free, written, at: now });
        free >= needed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks for room for 100 bytes, and counts in `asked` how often the system is asked.
    fn has(room: &DiskRoom, written: u64, now: Instant, free: u64, asked: &mut u32) -> bool {
        room.has(100, written, now, || {
            *asked += 1;
            free
        })
    }

    #[test]
    fn system_is_asked_ten_times_a_second_at_most() {
        let (room, start, mut asked) = (DiskRoom::default(), Instant::now(), 0);
        for millis in 0..1_000 {
            assert!(has(&room, 0, start + Duration::from_millis(millis), 1_000, &mut asked));
        }
        assert_eq!(asked, 10);
    }

    #[test]
    fn system_is_asked_before_half_of_the_room_may_be_written() {
        let (room, now, mut asked) = (DiskRoom::default(), Instant::now(), 0);
        assert!(has(&room, 1_000, now, 500, &mut asked));
        assert!(has(&room, 1_099, now, 300, &mut asked));
        assert_eq!(asked, 1);
        assert!(has(&room, 1_100, now, 300, &mut asked));
        assert_eq!(asked, 2);
        // There is little room left now.
        assert!(has(&room, 1_150, now, 120, &mut asked));
        assert!(!has(&room, 1_155, now, 99, &mut asked));
        assert_eq!(asked, 4);
    }

    #[test]
    fn refusal_ends_as_soon_as_there_is_room() {
        let (room, now, mut asked) = (DiskRoom::default(), Instant::now(), 0);
        assert!(!has(&room, 0, now, 99, &mut asked));
        assert!(has(&room, 0, now, 1_000, &mut asked));
        // A larger need, and an engine that counts anew, are asked about.
        assert!(!room.has(2_000, 500, now, || 1_999));
        assert!(!room.has(100, 499, now, || 99));
    }
}
