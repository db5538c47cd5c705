//! The log of an end-to-end test: accepted and delivered notifications, on which the promises are checked.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use contract_frames_v1::Delivery;
use contract_notifications_v1::{Notification, NotificationId, Sequence, UserId};

/// The notifications that were accepted, and those that each user received, over all connections and
/// restarts.
#[derive(Debug, Default)]
pub struct DeliveryLog {
    accepted: BTreeMap<UserId, BTreeMap<Sequence, (NotificationId, String)>>,
    delivered: HashMap<UserId, Vec<(Delivery, Instant)>>,
    /// Times at which the server was killed or a connection cut.
    faults: Vec<Instant>,
}

impl DeliveryLog {
    /// Adds an accepted notification.
    ///
    /// # Panics
    /// The sequence was given to another notification of the user.
    pub fn accepted(&mut self, notification: &Notification, sequence: Sequence) {
        let rows = self.accepted.entry(notification.user_id.clone()).or_default();
        let row = (notification.id.clone(), notification.payload.get().to_owned());
        let earlier = rows.insert(sequence, row);
        assert!(earlier.is_none(), "sequence {sequence} was given twice");
    }

    /// Adds a notification that a user received.
    pub fn delivered(&mut self, user: &UserId, delivery: Delivery) {
        self.delivered.entry(user.clone()).or_default().push((delivery, Instant::now()));
    }

    /// Adds a fault that excuses repeats: a process was killed or a connection cut.
    pub fn fault(&mut self) {
        self.faults.push(Instant::now());
    }

    fn sequences(&self, user: &UserId) -> BTreeSet<Sequence> {
        self.delivered.get(user).into_iter().flatten().map(|(delivery, _)| delivery.sequence).collect()
    }

    /// Number of distinct notifications that a user received.
    pub fn arrived(&self, user: &UserId) -> usize {
        self.sequences(user).len()
    }

    /// Number of accepted notifications that a user has not received yet.
    pub fn missing(&self, user: &UserId) -> usize {
        let arrived = self.sequences(user);
        self.accepted.get(user).map_or(0, |rows| rows.keys().filter(|s| !arrived.contains(s)).count())
    }

    /// Number of accepted notifications.
    pub fn count(&self) -> usize {
        self.accepted.values().map(BTreeMap::len).sum()
    }

    /// Checks all promises: everything arrived unchanged and in order, and repeats came after a fault.
    /// Returns the number of repeats.
    pub fn check(&self) -> usize {
        let repeats = self.check_arrival();
        for Repeat { user, sequence, first, again } in &repeats {
            let excused = self.faults.iter().any(|fault| first <= fault && fault <= again);
            assert!(excused, "{user} got {sequence} twice without a fault between");
        }
        repeats.len()
    }

    /// Checks that everything arrived unchanged and, not counting repeats, in order. Returns the repeats.
    pub fn check_arrival(&self) -> Vec<Repeat> {
        let mut repeats = Vec::new();
        for (user, rows) in &self.accepted {
            assert_eq!(self.missing(user), 0, "{user} did not get everything");
            let mut last: HashMap<Sequence, Instant> = HashMap::new();
            let mut highest = Sequence::ZERO;
            for (delivery, again) in self.delivered.get(user).into_iter().flatten() {
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

/// A notification that a user received again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeat {
    /// The user.
    pub user: UserId,
    /// The notification.
    pub sequence: Sequence,
    /// Time of the delivery before.
    pub first: Instant,
    /// Time of the repeated delivery.
    pub again: Instant,
}
