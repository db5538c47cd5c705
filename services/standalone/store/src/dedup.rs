//! The ids accepted within the deduplication window.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use contract_notifications_v1::{Notification, Timestamp};
use sha2::{Digest as _, Sha256};
use shared_ports::Moment;

use super::codec::Seq;

/// Hash of a user and an id: 128 bits of SHA-256, so that nobody can make two notifications that are taken
/// for one.
pub(super) type Fingerprint = [u64; 2];

const ENTRY_BYTES: usize = 24;

pub(super) fn fingerprint(notification: &Notification) -> Fingerprint {
    let mut hash = Sha256::new();
    hash.update(notification.user_id.as_str());
    hash.update([0]);
    hash.update(notification.id.as_str());
    let hash = hash.finalize();
    let word = |at: usize| hash[at..].first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    [word(0), word(8)]
}

/// The ids accepted by one commit: a record of the keyspace `dedup`.
pub(super) struct AcceptedIds {
    /// Time of the commit. With its number it is the record's key.
    at: Timestamp,
    /// Moment of the commit, by which its age is measured: the time may jump.
    moment: Moment,
    /// Number of the commit.
    commit: u64,
    entries: Vec<(Fingerprint, Seq)>,
}

impl AcceptedIds {
    pub(super) const fn new(at: Timestamp, moment: Moment, commit: u64) -> Self {
        Self { at, moment, commit, entries: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn is_older(&self, now: Moment, window: Duration) -> bool {
        now.since(self.moment) >= window
    }

    pub(super) fn key(&self) -> [u8; 16] {
        (u128::from(self.at.millis()) << 64 | u128::from(self.commit)).to_be_bytes()
    }

    pub(super) fn value(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.entries.len() * ENTRY_BYTES);
        for ([a, b], seq) in &self.entries {
            for number in [a, b, seq] {
                bytes.extend_from_slice(&number.to_be_bytes());
            }
        }
        bytes
    }

    /// Decodes a record of an earlier process; `None` for malformed bytes, and for a record older than `window` at the
    /// time `now` of the moment `moment`. One from the future, because the clock was set back, counts as new.
    pub(super) fn read(
        key: &[u8],
        value: &[u8],
        now: Timestamp,
        moment: Moment,
        window: Duration,
    ) -> Option<Self> {
        let key = u128::from_be_bytes(*key.first_chunk()?);
        let at = Timestamp::from_millis(u64::try_from(key >> 64).ok()?);
        let commit = u64::try_from(key & u128::from(u64::MAX)).ok()?;
        let number = |bytes: &[u8]| bytes.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let entry = |bytes: &[u8]| ([number(bytes), number(&bytes[8..])], number(&bytes[16..]));
        let age = now.since(at);
        let age_millis = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let moment = Moment::from_millis(moment.millis().saturating_sub(age_millis));
        (age < window).then(|| Self {
            at,
            moment,
            commit,
            entries: value.chunks_exact(ENTRY_BYTES).map(entry).collect(),
        })
    }
}

/// The ids accepted within the window, at most the latest `limit`.
pub(super) struct Dedup {
    window: Duration,
    limit: usize,
    known: HashMap<Fingerprint, Seq>,
    /// The commits, oldest first.
    commits: VecDeque<AcceptedIds>,
    /// Number of ids in `commits`.
    remembered: usize,
}

impl Dedup {
    pub(super) fn new(window: Duration, limit: usize) -> Self {
        Self { window, limit, known: HashMap::new(), commits: VecDeque::new(), remembered: 0 }
    }

    /// Returns the sequence under which the id was accepted, within the window or earlier in the present
    /// commit.
    pub(super) fn get(&self, fingerprint: &Fingerprint) -> Option<Seq> {
        self.known.get(fingerprint).copied()
    }

    /// Adds an id to `commit`.
    pub(super) fn insert(&mut self, commit: &mut AcceptedIds, fingerprint: Fingerprint, seq: Seq) {
        self.known.insert(fingerprint, seq);
        commit.entries.push((fingerprint, seq));
    }

    /// Adds a commit read from disk.
    pub(super) fn load(&mut self, commit: AcceptedIds) {
        self.known.extend(commit.entries.iter().copied());
        self.keep(commit);
    }

    /// Adds a commit that was written.
    pub(super) fn keep(&mut self, commit: AcceptedIds) {
        self.remembered += commit.entries.len();
        self.commits.push_back(commit);
    }

    /// Removes the ids of a commit that failed.
    pub(super) fn undo(&mut self, commit: &AcceptedIds) {
        self.forget(&commit.entries);
    }

    /// Removes commits older than the window, and the oldest ones while there are more than `limit` ids.
    /// Returns the keys of their records.
    pub(super) fn prune(&mut self, now: Moment) -> Vec<[u8; 16]> {
        let mut keys = Vec::new();
        while let Some(oldest) = self.commits.front() {
            let old = oldest.is_older(now, self.window);
            if !old && self.remembered <= self.limit {
                break;
            }
            let Some(oldest) = self.commits.pop_front() else { break };
            if !old {
                let count = u64::try_from(oldest.entries.len()).unwrap_or(u64::MAX);
                metrics::counter!("tidings_deduplication_forgotten_total").increment(count);
            }
            keys.push(oldest.key());
            self.remembered -= oldest.entries.len();
            self.forget(&oldest.entries);
        }
        if self.known.is_empty() {
            self.known = HashMap::new();
        }
        keys
    }

    fn forget(&mut self, entries: &[(Fingerprint, Seq)]) {
        for (fingerprint, seq) in entries {
            if self.known.get(fingerprint) == Some(seq) {
                self.known.remove(fingerprint);
            }
        }
    }
}
