//! Which deliveries are new to the application.

use std::collections::{HashSet, VecDeque};

use contract_frames_v1::Delivery;
use contract_notifications_v1::{NotificationId, Sequence};

/// What a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The application has not seen it.
    New {
        /// Whether one of a higher sequence came before it, which the gateway promises not to happen.
        out_of_order: bool,
    },
    /// The application has seen it.
    Duplicate,
}

/// Tells new deliveries from repeated ones, across connections.
///
/// By id, not by the highest sequence so far: a notification redriven from the dead letters keeps its id
/// and gets a new sequence. The most recent ids are remembered, so memory is bounded.
#[derive(Debug)]
pub struct Intake {
    ids: HashSet<NotificationId>,
    recent: VecDeque<NotificationId>,
    remember: usize,
    highest: Sequence,
}

impl Intake {
    /// Remembers that many ids.
    pub fn new(remember: usize) -> Self {
        let remember = remember.max(1);
        Self { ids: HashSet::new(), recent: VecDeque::new(), remember, highest: Sequence::ZERO }
    }

    /// Judges a delivery and remembers it.
    pub fn judge(&mut self, delivery: &Delivery) -> Verdict {
        if !self.ids.insert(delivery.id.clone()) {
            return Verdict::Duplicate;
        }
        self.recent.push_back(delivery.id.clone());
        if self.recent.len() > self.remember
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
    fn a_redriven_dead_letter_is_known_by_its_id() {
        let mut intake = Intake::new(10);
        assert_eq!(intake.judge(&delivery(1, 1)), Verdict::New { out_of_order: false });
        assert_eq!(intake.judge(&delivery(1, 9)), Verdict::Duplicate);
        // The duplicate's sequence sets no mark.
        assert_eq!(intake.judge(&delivery(2, 2)), Verdict::New { out_of_order: false });
    }

    #[test]
    fn memory_is_bounded() {
        let mut intake = Intake::new(2);
        (1..=3).for_each(|n| _ = intake.judge(&delivery(n, n)));
        assert_eq!((intake.ids.len(), intake.recent.len()), (2, 2));
        assert_eq!(intake.judge(&delivery(3, 3)), Verdict::Duplicate);
        assert_eq!(intake.judge(&delivery(1, 1)), Verdict::New { out_of_order: true });
    }

    proptest! {
        /// A gateway that, after each of several drops, starts again from any earlier point: the
        /// application sees each notification once and in order.
        #[test]
        fn replays_from_any_point_give_each_once_in_order(
            count in 1_u128..60,
            drops in prop::collection::vec((1_u128..60, 0_u128..60), 0..8),
        ) {
            let mut intake = Intake::new(1_000);
            let mut seen = Vec::new();
            let mut at = 0;
            let mut run = |from: u128, to: u128| {
                for n in from..to {
                    if let Verdict::New { out_of_order } = intake.judge(&delivery(n, n)) {
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
