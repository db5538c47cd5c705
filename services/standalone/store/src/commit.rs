//! Collects the notifications of one commit until it is written.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use contract_notifications_v1::{Timestamp, UserId};
use shared_ports::Moment;

use super::codec::Seq;
use super::commit_position::CommitPosition;
use super::core::Core;
use super::dedup;
use super::pending_records::{PendingRecord, RecordLocation};
use super::queued::Queued;
use super::settings::Origin;

/// The accepted notifications of one commit, which are published once it is written.
pub(super) struct Commit {
    /// The ids of producers and of clients.
    pub(super) ids: [dedup::AcceptedIds; 2],
    pub(super) queued: Vec<Queued>,
    pub(super) redriven: Vec<Seq>,
    /// Notifications that go to disk as one pending record.
    pub(super) record: PendingRecord,
    /// For each user seen so far, the number of further notifications that may go to the pending record.
    pending_capacity: HashMap<UserId, usize>,
    /// True if memory has room for all notifications of this commit.
    fits_in_memory: bool,
    pub(super) number: u64,
    pub(super) next: Seq,
}

impl Commit {
    /// Starts the commit after `position`, with `count` notifications that take `bytes` bytes of memory.
    pub(super) fn new<K>(
        core: &Core<K>,
        position: &CommitPosition,
        now: Timestamp,
        moment: Moment,
        count: usize,
        bytes: usize,
    ) -> Self {
        let number = position.commit + 1;
        let hot_bytes = core.hot_bytes.load(Ordering::Relaxed);
        Self {
            ids: [Origin::Producer, Origin::Client]
                .map(|origin| dedup::AcceptedIds::new(origin, now, moment, number)),
            queued: Vec::with_capacity(count),
            redriven: Vec::new(),
            record: PendingRecord::default(),
            pending_capacity: HashMap::new(),
            fits_in_memory: hot_bytes.saturating_add(bytes) <= core.settings.hot_bytes,
            number,
            next: position.next,
        }
    }

    /// Returns the ids of a kind of sender.
    pub(super) fn ids_of(&mut self, origin: Origin) -> &mut dedup::AcceptedIds {
        let [producers, clients] = &mut self.ids;
        match origin {
            Origin::Producer => producers,
            Origin::Client => clients,
        }
    }

    /// Adds a notification to the pending record and returns its location, or returns `None` if it must get a
    /// row. It goes to the record if it will probably be delivered soon and stays in memory until then: a
    /// record can't be read one notification at a time. After the first notification of a user that gets a
    /// row, all later ones of that user in this commit get rows too.
    pub(super) fn add_to_record<K>(
        &mut self,
        core: &Core<K>,
        user: &UserId,
        seq: Seq,
        value: &[u8],
    ) -> Option<RecordLocation> {
        if !self.fits_in_memory {
            return None;
        }
        let room = match self.pending_capacity.get_mut(user) {
            Some(room) => room,
            None => self.pending_capacity.entry(user.clone()).or_insert_with(|| core.pending_capacity(user)),
        };
        let index = if *room == 0 { None } else { self.record.push(user, seq, value) };
        *room = if index.is_none() { 0 } else { *room - 1 };
        Some(RecordLocation { commit: self.number, index: index? })
    }
}
