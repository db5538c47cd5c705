//! The story of an end-to-end test, and whether it kept the promises.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use contract_frames_v1::Delivery;
use contract_notifications_v1::{Notification, NotificationId, Sequence, UserId};

/// What was accepted, and what each user saw, across everything that happened.
#[derive(Debug, Default)]
pub struct Story {
    accepted: BTreeMap<UserId, BTreeMap<Sequence, (NotificationId, String)>>,
    seen: HashMap<UserId, Vec<(Delivery, Instant)>>,
    /// When the server was killed, or a connection cut.
    faults: Vec<Instant>,
}

impl Story {
    /// A notification was accepted.
    pub fn accepted(&mut self, notification: &Notification, sequence: Sequence) {
        let rows = self.accepted.entry(notification.user_id.clone()).or_default();
        let row = (notification.id.clone(), notification.payload.get().to_owned());
        let earlier = rows.insert(sequence, row);
        assert!(earlier.is_none(), "sequence {sequence} was given twice");
    }

    /// A notification arrived.
    pub fn seen(&mut self, user: &UserId, delivery: Delivery) {
        self.seen.entry(user.clone()).or_default().push((delivery, Instant::now()));
    }

    /// Something happened that excuses repeats: a process was killed, a connection cut.
    pub fn fault(&mut self) {
        self.faults.push(Instant::now());
    }

    fn sequences(&self, user: &UserId) -> BTreeSet<Sequence> {
        self.seen.get(user).into_iter().flatten().map(|(delivery, _)| delivery.sequence).collect()
    }

    /// How many different notifications a user saw.
    pub fn arrived(&self, user: &UserId) -> usize {
        self.sequences(user).len()
    }

    /// Accepted notifications of a user that did not arrive yet.
    pub fn missing(&self, user: &UserId) -> usize {
        let arrived = self.sequences(user);
        self.accepted.get(user).map_or(0, |rows| rows.keys().filter(|s| !arrived.contains(s)).count())
    }

    /// How many notifications were accepted.
    pub fn count(&self) -> usize {
        self.accepted.values().map(BTreeMap::len).sum()
    }

    /// Checks the promises over the whole story: everything arrived, as it was sent, in order, and again only
    /// after a fault. Gives how many repeats there were.
    pub fn check(&self) -> usize {
        let repeats = self.check_arrival();
        for Repeat { user, sequence, first, again } in &repeats {
            let excused = self.faults.iter().any(|fault| first <= fault && fault <= again);
            assert!(excused, "{user} got {sequence} twice without a fault between");
        }
        repeats.len()
    }

    /// Checks that everything arrived, as it was sent, and for the first time in order. Gives the repeats.
    pub fn check_arrival(&self) -> Vec<Repeat> {
        let mut repeats = Vec::new();
        for (user, rows) in &self.accepted {
            assert_eq!(self.missing(user), 0, "{user} did not get everything");
            let mut last: HashMap<Sequence, Instant> = HashMap::new();
            let mut highest = Sequence::ZERO;
            for (delivery, again) in self.seen.get(user).into_iter().flatten() {
                let sequence = delivery.sequence;
                if let Some((id, payload)) = rows.get(&sequence) {
                    assert_eq!((&delivery.id, delivery.payload.get()), (id, payload.as_str()), "{user}");
                }
                if let Some(first) = last.insert(sequence, *again) {
                    repeats.push(Repeat { user: user.clone(), sequence, first, again: *again });
                } else {
                    assert!(sequence > highest, "{user} got {sequence} late");
                    highest = sequence;
                }
            }
        }
        repeats
    }
}

/// A notification that arrived again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeat {
    /// Whose.
    pub user: UserId,
    /// Which.
    pub sequence: Sequence,
    /// When it arrived the last time before.
    pub first: Instant,
    /// When it arrived again.
    pub again: Instant,
}
