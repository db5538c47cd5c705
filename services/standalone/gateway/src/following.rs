//! Following single notifications: what becomes of them, remembered for those an operator asks about.
//!
//! A settled notification leaves no trace unless the history is on. While one is followed, the dispatcher
//! reports to here what becomes of notifications as it does to the history, and clients' acknowledgements are
//! noted; what is not about the followed is let go. When nothing is followed, nothing is reported.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract_history_v1::{HistoryOutcome, MessageRow};
use contract_notifications_v1::{NotificationId, Sequence, Timestamp, UserId};
use dispatcher::ports::HistoryPolicy;
use shared_ports::{Clock, PortError};

use crate::figures::KIND;

/// How long a notification is followed after it was last asked about.
pub const FOR: Duration = Duration::from_mins(2);
/// Most notifications followed at a time; beyond them none is taken up.
pub const MOST: usize = 64;
/// Most acknowledgements and events kept of each.
const MOST_KEPT: usize = 64;

/// What became of a followed notification.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Followed {
    /// Its place in the user's order, once something happened to it.
    pub sequence: Option<Sequence>,
    /// What the dispatcher did, in order.
    pub happened: Vec<(HistoryOutcome, Timestamp)>,
    /// When a client acknowledged it.
    pub acknowledged_at: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Trail {
    until: Timestamp,
    happened: Vec<(HistoryOutcome, Timestamp)>,
    sequences: Vec<Sequence>,
    /// The user's latest acknowledgements: they name sequences, and may be here before the sequence is known.
    acknowledged: Vec<(Sequence, Timestamp)>,
}

/// The notifications that are followed. Clones share them.
#[derive(Debug)]
pub struct Following<K> {
    trails: Arc<Mutex<HashMap<(UserId, NotificationId), Trail>>>,
    /// How many there are: nobody takes the lock for none.
    count: Arc<AtomicUsize>,
    clock: K,
}

impl<K: Clone> Clone for Following<K> {
    fn clone(&self) -> Self {
        Self { trails: Arc::clone(&self.trails), count: Arc::clone(&self.count), clock: self.clock.clone() }
    }
}

impl<K: Clock> Following<K> {
    /// Nothing is followed yet.
    pub fn new(clock: K) -> Self {
        Self { trails: Arc::default(), count: Arc::default(), clock }
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<(UserId, NotificationId), Trail>) -> T) -> T {
        let mut trails = self.trails.lock().unwrap_or_else(PoisonError::into_inner);
        let result = work(&mut trails);
        self.count.store(trails.len(), Ordering::Release);
        result
    }

    fn is_idle(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Follows a notification from now on, or for longer. False when as many are followed as may be.
    pub fn follow(&self, user: &UserId, id: &NotificationId) -> bool {
        let until = self.clock.now().plus(FOR);
        let key = (user.clone(), id.clone());
        self.forget_old();
        self.with(|trails| {
            if trails.len() >= MOST && !trails.contains_key(&key) {
                return false;
            }
            trails.entry(key).or_default().until = until;
            true
        })
    }

    /// What became of a notification since it is followed; `None` when it is not.
    pub fn of(&self, user: &UserId, id: &NotificationId) -> Option<Followed> {
        if self.is_idle() {
            return None;
        }
        self.with(|trails| {
            let trail = trails.get(&(user.clone(), id.clone()))?;
            let acknowledged = trail.acknowledged.iter().find(|(at, _)| trail.sequences.contains(at));
            let acknowledged_at = acknowledged.map(|(_, at)| *at);
            let sequence = trail.sequences.last().copied();
            Some(Followed { sequence, happened: trail.happened.clone(), acknowledged_at })
        })
    }

    /// Lets go of those nobody has asked about for a while. To be called now and then.
    pub fn forget_old(&self) {
        if !self.is_idle() {
            let now = self.clock.now();
            self.with(|trails| trails.retain(|_, trail| trail.until > now));
        }
    }

    /// Remembers what is about followed notifications of what became of a user's.
    fn happened(&self, user: &UserId, rows: &[MessageRow]) {
        if self.is_idle() {
            return;
        }
        self.with(|trails| {
            for ((_, id), trail) in trails.iter_mut().filter(|((other, _), _)| other == user) {
                for row in rows.iter().filter(|row| row.notification_id == *id) {
                    if trail.happened.len() < MOST_KEPT {
                        trail.happened.push((row.outcome, row.at));
                        trail.sequences.push(row.sequence);
                    }
                }
            }
        });
    }

    /// Remembers a user's acknowledgements, if something of the user is followed.
    fn acknowledged(&self, user: &UserId, sequences: &[Sequence]) {
        if self.is_idle() {
            return;
        }
        let now = self.clock.now();
        self.with(|trails| {
            for (_, trail) in trails.iter_mut().filter(|((other, _), _)| other == user) {
                let new = sequences.iter().map(|sequence| (*sequence, now));
                trail.acknowledged.extend(new);
                let surplus = trail.acknowledged.len().saturating_sub(MOST_KEPT);
                trail.acknowledged.drain(..surplus);
            }
        });
    }
}

/// The history as the dispatcher sees it: the one that is kept, if one is, and what is followed.
#[derive(Debug)]
pub struct Recorded<H, K> {
    /// The one that is kept.
    pub kept: H,
    /// What is followed.
    pub following: Following<K>,
}

impl<H: dispatcher::ports::History, K: Clock> dispatcher::ports::History for Recorded<H, K> {
    fn policy(&self) -> Option<HistoryPolicy> {
        let followed = || HistoryPolicy { lifetime: Duration::ZERO, payloads: false };
        self.kept.policy().or_else(|| (!self.following.is_idle()).then(followed))
    }

    async fn record(&self, user: &UserId, mut rows: Vec<MessageRow>) {
        self.following.happened(user, &rows);
        if self.kept.policy().is_some() {
            // The operators' own figures, one a second, are nobody's history.
            rows.retain(|row| row.kind.as_deref() != Some(KIND));
            if !rows.is_empty() {
                self.kept.record(user, rows).await;
            }
        }
    }
}

/// A mailbox whose acknowledgements are noted when they are about something followed.
#[derive(Debug)]
pub struct Watched<M, K> {
    /// The mailbox.
    pub mailbox: M,
    /// What is followed.
    pub following: Following<K>,
}

impl<M: ws_edge::ports::Mailbox, K: Clock> ws_edge::ports::Mailbox for Watched<M, K> {
    async fn acknowledge(&self, user: &UserId, sequences: &[Sequence]) -> Result<(), PortError> {
        self.following.acknowledged(user, sequences);
        self.mailbox.acknowledge(user, sequences).await
    }
}

#[cfg(test)]
mod tests {
    use contract_notifications_v1::{Notification, Payload, WhenOffline};
    use dispatcher::ports::{History as _, NoHistory};
    use futures_util::FutureExt as _;
    use verification_conformance::ManualClock;

    use super::*;

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    fn row(name: &str, id: &str, sequence: u128, what: HistoryOutcome, at: u64) -> MessageRow {
        let notification = Notification {
            id: NotificationId::new(id).unwrap(),
            user_id: user(name),
            payload: Payload::from_json("1").unwrap(),
            sent_at: Timestamp::from_millis(0),
            expires_at: None,
            when_offline: WhenOffline::Hold,
            kind: None,
            source: None,
        };
        let at = Timestamp::from_millis(at);
        MessageRow::new(&notification, Sequence::new(sequence), what, at, Duration::ZERO)
    }

    #[test]
    fn what_becomes_of_the_followed_is_remembered_and_nothing_else() {
        let clock = ManualClock::default();
        let following = Following::new(clock.clone());
        let recorded = Recorded { kept: NoHistory, following: following.clone() };
        assert_eq!(recorded.policy(), None, "nothing is observed for nobody");
        let id = NotificationId::new("n").unwrap();
        assert_eq!(following.of(&user("jo"), &id), None);
        assert!(following.follow(&user("jo"), &id));
        assert!(recorded.policy().is_some());
        following.acknowledged(&user("jo"), &[Sequence::new(7), Sequence::new(8)]);
        following.acknowledged(&user("al"), &[Sequence::new(9)]);
        let rows = vec![
            row("jo", "n", 8, HistoryOutcome::Delivered, 3),
            row("jo", "other", 7, HistoryOutcome::Held, 2),
        ];
        recorded.record(&user("jo"), rows).now_or_never().unwrap();
        recorded
            .record(&user("al"), vec![row("al", "n", 9, HistoryOutcome::Held, 4)])
            .now_or_never()
            .unwrap();
        let followed = following.of(&user("jo"), &id).unwrap();
        assert_eq!(followed.sequence, Some(Sequence::new(8)));
        assert_eq!(followed.happened, [(HistoryOutcome::Delivered, Timestamp::from_millis(3))]);
        assert_eq!(followed.acknowledged_at, Some(clock.now()));
        clock.advance(FOR);
        following.forget_old();
        assert_eq!((following.of(&user("jo"), &id), recorded.policy()), (None, None));
    }

    #[test]
    fn no_more_are_followed_than_may_be() {
        let following = Following::new(ManualClock::default());
        let id = |n: usize| NotificationId::new(format!("n{n}")).unwrap();
        assert!((0..MOST).all(|n| following.follow(&user("jo"), &id(n))));
        assert!(following.follow(&user("jo"), &id(0)), "one that is followed is followed for longer");
        assert!(!following.follow(&user("jo"), &id(MOST)));
    }
}
