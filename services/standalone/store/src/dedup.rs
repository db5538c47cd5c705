//! The ids accepted within the deduplication window.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use contract_notifications_v1::{Notification, Timestamp};
use sha2::{Digest as _, Sha256};
use shared_ports::Moment;

use super::codec::Seq;
use super::settings::Origin;

/// Hash of a user and an id: 128 bits of SHA-256, so that nobody can make two notifications that are taken
/// for one.
pub(super) type Fingerprint = [u64; 2];

const ENTRY_BYTES: usize = 24;

/// The bit of a commit's number in the key of a record that has ids of clients. Commits are never as many.
const OF_CLIENTS: u64 = 1 << 63;

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
    /// The kind of their senders, which is part of the record's key.
    origin: Origin,
    /// Time of the commit. With its number it is the record's key.
    at: Timestamp,
    /// Moment of the commit, by which its age is measured: the time may jump.
    moment: Moment,
    /// Number of the commit.
    commit: u64,
    entries: Vec<(Fingerprint, Seq)>,
}

impl AcceptedIds {
    pub(super) const fn new(origin: Origin, at: Timestamp, moment: Moment, commit: u64) -> Self {
        Self { origin, at, moment, commit, entries: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn is_older(&self, now: Moment, window: Duration) -> bool {
        now.since(self.moment) >= window
    }

    pub(super) fn key(&self) -> [u8; 16] {
        let commit = match self.origin {
            Origin::Producer => self.commit,
            Origin::Client => self.commit | OF_CLIENTS,
        };
        (u128::from(self.at.millis()) << 64 | u128::from(commit)).to_be_bytes()
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
        let origin = if commit & OF_CLIENTS == 0 { Origin::Producer } else { Origin::Client };
        (age < window).then(|| Self {
            origin,
            at,
            moment,
            commit: commit & !OF_CLIENTS,
            entries: value.chunks_exact(ENTRY_BYTES).map(entry).collect(),
        })
    }
}

/// The ids accepted within the window, at most the latest of each kind of sender. The kinds have budgets of their own, so
/// that clients can't push out producers' ids.
pub(super) struct Dedup {
    window: Duration,
    known: HashMap<Fingerprint, Seq>,
    producers: Budget,
    clients: Budget,
}

/// The ids of one kind of sender.
struct Budget {
    limit: usize,
    /// The commits, oldest first.
    commits: VecDeque<AcceptedIds>,
    /// Number of ids in `commits`.
    remembered: usize,
}

impl Budget {
    const fn new(limit: usize) -> Self {
        Self { limit, commits: VecDeque::new(), remembered: 0 }
    }

    /// Takes the oldest commit if it is older than the window, or if there are more ids than the limit.
    fn pop_due(&mut self, now: Moment, window: Duration) -> Option<AcceptedIds> {
        let old = self.commits.front()?.is_older(now, window);
        if !old && self.remembered <= self.limit {
            return None;
        }
        let oldest = self.commits.pop_front()?;
        if !old {
            let count = u64::try_from(oldest.entries.len()).unwrap_or(u64::MAX);
            let sender = oldest.origin.name();
            metrics::counter!("tidings_deduplication_forgotten_total", "sender" => sender).increment(count);
        }
        self.remembered -= oldest.entries.len();
        Some(oldest)
    }
}

impl Dedup {
    /// Makes a window without ids, with the numbers of ids of producers and of clients that it remembers.
    pub(super) fn new(window: Duration, producers: usize, clients: usize) -> Self {
        let (producers, clients) = (Budget::new(producers), Budget::new(clients));
        Self { window, known: HashMap::new(), producers, clients }
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
        let budget = match commit.origin {
            Origin::Producer => &mut self.producers,
            Origin::Client => &mut self.clients,
        };
        budget.remembered += commit.entries.len();
        budget.commits.push_back(commit);
    }

    /// Removes the ids of a commit that failed.
    pub(super) fn undo(&mut self, commit: &AcceptedIds) {
        self.forget(&commit.entries);
    }

    /// Removes commits older than the window, and the oldest ones of a kind of sender while it has more ids than its
    /// limit. Returns the keys of their records.
    pub(super) fn prune(&mut self, now: Moment) -> Vec<[u8; 16]> {
        let mut keys = Vec::new();
        while let Some(oldest) =
            self.producers.pop_due(now, self.window).or_else(|| self.clients.pop_due(now, self.window))
        {
            keys.push(oldest.key());
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(dedup: &mut Dedup, origin: Origin, commit: u64, count: u64) -> Vec<Fingerprint> {
        let mut accepted = AcceptedIds::new(origin, Timestamp::default(), Moment::default(), commit);
        let fingerprints: Vec<_> = (0..count).map(|n| [commit, n]).collect();
        for fingerprint in &fingerprints {
            dedup.insert(&mut accepted, *fingerprint, 1);
        }
        dedup.keep(accepted);
        fingerprints
    }

    #[test]
    fn clients_ids_push_out_none_of_producers() {
        let mut dedup = Dedup::new(Duration::from_mins(1), 100, 10);
        let of_producers = ids(&mut dedup, Origin::Producer, 1, 50);
        let first = ids(&mut dedup, Origin::Client, 2, 10);
        for commit in 3..1_000 {
            ids(&mut dedup, Origin::Client, commit, 10);
            dedup.prune(Moment::default());
        }
        assert!(of_producers.iter().all(|id| dedup.get(id).is_some()));
        assert!(first.iter().all(|id| dedup.get(id).is_none()));
        assert_eq!((dedup.clients.remembered, dedup.known.len()), (10, 60));
        // And none of clients is pushed out by producers.
        for commit in 1_000..1_100 {
            ids(&mut dedup, Origin::Producer, commit, 10);
            dedup.prune(Moment::default());
        }
        assert_eq!((dedup.producers.remembered, dedup.clients.remembered), (100, 10));
    }

    #[test]
    fn record_keeps_the_kind_of_its_senders() {
        for origin in [Origin::Producer, Origin::Client] {
            let ids = AcceptedIds::new(origin, Timestamp::from_millis(7), Moment::default(), 9);
            let read = AcceptedIds::read(&ids.key(), &[], ids.at, Moment::default(), Duration::MAX).unwrap();
            assert_eq!((read.origin, read.commit, read.key()), (origin, 9, ids.key()));
        }
    }
}
