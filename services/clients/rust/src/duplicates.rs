//! Recognises repeated deliveries.

use std::collections::{HashSet, VecDeque};

use contract_frames_v1::Delivery;
use contract_notifications_v1::{NotificationId, Sequence};

/// Result of checking a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The delivery is new to the application.
    New {
        /// True if a delivery with a higher sequence came earlier, against the gateway's promise.
        out_of_order: bool,
    },
    /// The application has received the delivery before.
    Duplicate,
}

/// Distinguishes new deliveries from repeated ones, across connections.
///
/// Compares ids rather than sequences, because a redriven dead letter keeps its id and gets a new sequence.
/// Remembers a fixed number of the most recent ids, so memory is bounded.
#[derive(Debug)]
pub(super) struct DuplicateFilter {
    ids: HashSet<NotificationId>,
    recent: VecDeque<NotificationId>,
    capacity: usize,
    highest: Sequence,
}

impl DuplicateFilter {
    /// Returns a filter that remembers `capacity` ids, at least one.
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self { ids: HashSet::new(), recent: VecDeque::new(), capacity, highest: Sequence::ZERO }
    }

    /// Checks a delivery and remembers its id.
    pub(super) fn check(&mut self, delivery: &Delivery) -> Verdict {
        if !self.ids.insert(delivery.id.clone()) {
            return Verdict::Duplicate;
        }
        self.recent.push_back(delivery.id.clone());
        if self.recent.len() > self.capacity
            && let Some(oldest) = self.recent.pop_front()
        {
            self.ids.remove(&oldest);
        }
        let out_of_order = delivery.sequence < self.highest;
        self.highest = self.highest.max(delivery.sequence);
        Verdict::New { out_of_order }
    }
}

#[cfg(test)]
mod tests {
    use contract_notifications_v1::{Payload, Timestamp};
    use proptest::prelude::*;

    use super::*;

    fn delivery(id: u128, sequence: u128) -> Delivery {
        Delivery {
            id: NotificationId::from(Sequence::new(id)),
            sequence: Sequence::new(sequence),
            sent_at: Timestamp::from_millis(0),
            payload: Payload::from_json("null").unwrap(),
            replayed: false,
            kind: None,
            source: None,
        }
    }

    #[test]
    fn redriven_dead_letter_is_known_by_its_id() {
        let mut filter = DuplicateFilter::new(10);
        assert_eq!(filter.check(&delivery(1, 1)), Verdict::New { out_of_order: false });
        assert_eq!(filter.check(&delivery(1, 9)), Verdict::Duplicate);
        // The duplicate's sequence does not count as the highest.
        assert_eq!(filter.check(&delivery(2, 2)), Verdict::New { out_of_order: false });
    }

    #[test]
    fn memory_is_bounded() {
        let mut filter = DuplicateFilter::new(2);
        (1..=3).for_each(|n| _ = filter.check(&delivery(n, n)));
        assert_eq!((filter.ids.len(), filter.recent.len()), (2, 2));
        assert_eq!(filter.check(&delivery(3, 3)), Verdict::Duplicate);
        assert_eq!(filter.check(&delivery(1, 1)), Verdict::New { out_of_order: true });
    }

    proptest! {
        /// The gateway loses the connection several times and replays from an earlier point each time. The
        /// application gets each notification once and in order.
        #[test]
        fn replays_from_any_point_keep_order(
            count in 1_u128..60,
            drops in prop::collection::vec((1_u128..60, 0_u128..60), 0..8),
        ) {
            let mut filter = DuplicateFilter::new(1_000);
            let mut seen = Vec::new();
            let mut at = 0;
            let mut run = |from: u128, to: u128| {
                for n in from..to {
                    if let Verdict::New { out_of_order } = filter.check(&delivery(n, n)) {
                        assert!(!out_of_order);
                        seen.push(n);
                    }
                }
            };
            for (forward, back) in drops {
                let to = (at + forward).min(count);
                run(at, to);
                at = to.saturating_sub(back);
            }
            run(at, count);
            prop_assert_eq!(seen, (0..count).collect::<Vec<_>>());
        }
    }
}
