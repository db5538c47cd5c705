//! A commit in the making.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use contract_notifications_v1::{Timestamp, UserId};

use super::codec::Seq;
use super::commit_position::CommitPosition;
use super::core::Core;
use super::dedup;
use super::pending_records::{PendingRecord, RecordLocation};
use super::user::Queued;

/// A commit in the making.
pub(super) struct Commit {
    pub(super) ids: dedup::Accepted,
    pub(super) queued: Vec<Queued>,
    pub(super) redriven: Vec<Seq>,
    /// What goes to the disk as one record,
    pub(super) record: PendingRecord,
    /// and how many of each user's that may be, where somebody asked.
    rooms: HashMap<UserId, usize>,
    /// Whether memory has room for all notifications of this commit.
    roomy: bool,
    pub(super) number: u64,
    pub(super) next: Seq,
}

impl Commit {
    /// The commit after `head`, of `count` notifications that take so many bytes of memory.
    pub(super) fn new<K>(
        core: &Core<K>,
        position: &CommitPosition,
        now: Timestamp,
        count: usize,
        bytes: usize,
    ) -> Self {
        let number = position.commit + 1;
        let hot_bytes = core.hot_bytes.load(Ordering::Relaxed);
        Self {
            ids: dedup::Accepted::new(now, number),
            queued: Vec::with_capacity(count),
            redriven: Vec::new(),
            record: PendingRecord::default(),
            rooms: HashMap::new(),
            roomy: hot_bytes.saturating_add(bytes) <= core.settings.hot_bytes,
            number,
            next: position.next,
        }
    }

    /// Puts a notification into the record, if it will most likely be delivered soon, and from memory: then nothing
    /// reads its row. Once one of a user's is not put there, none behind it is.
    pub(super) fn arrive<K>(
        &mut self,
        core: &Core<K>,
        user: &UserId,
        seq: Seq,
        value: &[u8],
    ) -> Option<RecordLocation> {
        if !self.roomy {
            return None;
        }
        let room = match self.rooms.get_mut(user) {
            Some(room) => room,
            None => self.rooms.entry(user.clone()).or_insert_with(|| core.room_to_arrive(user)),
        };
        let index = if *room == 0 { None } else { self.record.push(user, seq, value) };
        *room = if index.is_none() { 0 } else { *room - 1 };
        Some(RecordLocation { commit: self.number, index: index? })
    }
}
