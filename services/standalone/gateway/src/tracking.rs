//! Tracks single notifications for operators: remembers their events while somebody asks about them.
//!
//! A completed notification leaves no trace unless the server keeps a history. While at least one notification is
//! tracked, the dispatcher reports events here as it does to the history, and acknowledgements pass through here;
//! only those of tracked notifications are kept. While none is tracked, nothing is reported.
//!
//! Trails are in memory behind one lock. A count beside it lets callers skip the lock while nothing is tracked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract_history_v1::{HistoryOutcome, MessageRow};
use contract_notifications_v1::{NotificationId, Sequence, Timestamp, UserId};
use dispatcher::ports::HistoryPolicy;
use shared_ports::{Clock, PortError};
use shared_sync::IgnorePoison as _;
use tidings_store::Store;

use crate::live_metrics::KIND;

/// Time for which a notification is tracked after the last request to track it.
pub const DURATION: Duration = Duration::from_mins(2);
/// Maximum number of notifications tracked at a time.
pub const MAX_TRACKED: usize = 64;
/// Maximum number of events, and of acknowledgements, kept for each notification.
const MAX_EVENTS: usize = 64;

/// The events of a tracked notification.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tracked {
    /// Its sequence, known from its first event on.
    pub sequence: Option<Sequence>,
    /// The dispatcher's events, in order.
    pub events: Vec<(HistoryOutcome, Timestamp)>,
    /// Time at which a client acknowledged it.
    pub acknowledged_at: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Trail {
    until: Timestamp,
    events: Vec<(HistoryOutcome, Timestamp)>,
    sequences: Vec<Sequence>,
    /// The user's latest acknowledgements. They name sequences, and may come before the sequence is known.
    acknowledged: Vec<(Sequence, Timestamp)>,
}

/// The tracked notifications. Clones share them.
#[derive(Debug)]
pub struct Tracking<K> {
    trails: Arc<Mutex<HashMap<(UserId, NotificationId), Trail>>>,
    /// Number of trails, readable without the lock.
    count: Arc<AtomicUsize>,
    clock: K,
}

impl<K: Clone> Clone for Tracking<K> {
    fn clone(&self) -> Self {
        Self { trails: Arc::clone(&self.trails), count: Arc::clone(&self.count), clock: self.clock.clone() }
    }
}

impl<K: Clock> Tracking<K> {
    /// Makes a value that tracks nothing yet.
    pub fn new(clock: K) -> Self {
        Self { trails: Arc::default(), count: Arc::default(), clock }
    }

    /// Runs `work` under the lock and updates the count.
    fn with<T>(&self, work: impl FnOnce(&mut HashMap<(UserId, NotificationId), Trail>) -> T) -> T {
        let mut trails = self.trails.lock().ignore_poison();
        let result = work(&mut trails);
        self.count.store(trails.len(), Ordering::Release);
        result
    }

    /// Returns true if nothing is tracked.
    fn is_idle(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Tracks a notification for [`DURATION`] from now on. Returns false if [`MAX_TRACKED`] others are tracked.
    pub fn track(&self, user: &UserId, id: &NotificationId) -> bool {
        let until = self.clock.now().plus(DURATION);
        let key = (user.clone(), id.clone());
        self.remove_expired();
        self.with(|trails| {
            if trails.len() >= MAX_TRACKED && !trails.contains_key(&key) {
                metrics::counter!("tidings_full_tables_total", "table" => "tracked-notifications")
                    .increment(1);
                return false;
            }
            trails.entry(key).or_default().until = until;
            true
        })
    }

    /// Returns the events of a notification since it is tracked; `None` if it is not.
    pub fn get(&self, user: &UserId, id: &NotificationId) -> Option<Tracked> {
        if self.is_idle() {
            return None;
        }
        self.with(|trails| {
            let trail = trails.get(&(user.clone(), id.clone()))?;
            let acknowledged = trail.acknowledged.iter().find(|(at, _)| trail.sequences.contains(at));
            let acknowledged_at = acknowledged.map(|(_, at)| *at);
            let sequence = trail.sequences.last().copied();
            Some(Tracked { sequence, events: trail.events.clone(), acknowledged_at })
        })
    }

    /// Removes the notifications whose time is over.
    pub fn remove_expired(&self) {
        if !self.is_idle() {
            let now = self.clock.now();
            self.with(|trails| trails.retain(|_, trail| trail.until > now));
        }
    }

    /// Keeps the events of tracked notifications among `rows`.
    fn record_events(&self, user: &UserId, rows: &[MessageRow]) {
        if self.is_idle() {
            return;
        }
        self.with(|trails| {
            for ((_, id), trail) in trails.iter_mut().filter(|((other, _), _)| other == user) {
                for row in rows.iter().filter(|row| row.notification_id == *id) {
                    if trail.events.len() < MAX_EVENTS {
                        trail.events.push((row.outcome, row.at));
                        trail.sequences.push(row.sequence);
                    }
                }
            }
        });
    }

    /// Keeps a user's acknowledgements if a notification of the user is tracked.
    fn record_acknowledgements(&self, user: &UserId, sequences: &[Sequence]) {
        if self.is_idle() {
            return;
        }
        let now = self.clock.now();
        self.with(|trails| {
            for (_, trail) in trails.iter_mut().filter(|((other, _), _)| other == user) {
                let new = sequences.iter().map(|sequence| (*sequence, now));
                trail.acknowledged.extend(new);
                let surplus = trail.acknowledged.len().saturating_sub(MAX_EVENTS);
                trail.acknowledged.drain(..surplus);
            }
        });
    }
}

/// The dispatcher's history: the stored one, if there is one, and the tracked notifications.
#[derive(Debug)]
pub struct TrackedHistory<H, K> {
    /// The stored history.
    pub stored: H,
    /// The tracked notifications.
    pub tracking: Tracking<K>,
}

impl<H: dispatcher::ports::History, K: Clock> dispatcher::ports::History for TrackedHistory<H, K> {
    fn policy(&self) -> Option<HistoryPolicy> {
        let tracked = || HistoryPolicy { lifetime: Duration::ZERO, payloads: false };
        self.stored.policy().or_else(|| (!self.tracking.is_idle()).then(tracked))
    }

    async fn record(&self, user: &UserId, mut rows: Vec<MessageRow>) {
        self.tracking.record_events(user, &rows);
        if self.stored.policy().is_some() {
            // Live metrics, one notification a second, don't belong to a user's history.
            rows.retain(|row| row.kind.as_deref() != Some(KIND));
            if !rows.is_empty() {
                self.stored.record(user, rows).await;
            }
        }
    }
}

/// A mailbox whose acknowledgements pass through the tracked notifications.
#[derive(Debug)]
pub struct TrackedMailbox<M, K> {
    /// The mailbox.
    pub mailbox: M,
    /// The tracked notifications.
    pub tracking: Tracking<K>,
}

impl<K: Clock + 'static> TrackedMailbox<Store<K>, K> {
    /// Removes notifications that a client has, as its pong shows.
    pub fn confirm(&self, user: &UserId, sequences: &[Sequence]) {
        self.tracking.record_acknowledgements(user, sequences);
        self.mailbox.confirm(user, sequences);
    }
}

impl<M: ws_edge::ports::Mailbox, K: Clock> ws_edge::ports::Mailbox for TrackedMailbox<M, K> {
    async fn acknowledge(&self, user: &UserId, sequences: &[Sequence]) -> Result<(), PortError> {
        self.tracking.record_acknowledgements(user, sequences);
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
    fn events_of_tracked_notifications_alone_are_kept() {
        let clock = ManualClock::default();
        let tracking = Tracking::new(clock.clone());
        let recorded = TrackedHistory { stored: NoHistory, tracking: tracking.clone() };
        assert_eq!(recorded.policy(), None, "nothing is reported while nothing is tracked");
        let id = NotificationId::new("n").unwrap();
        assert_eq!(tracking.get(&user("jo"), &id), None);
        assert!(tracking.track(&user("jo"), &id));
        assert!(recorded.policy().is_some());
        tracking.record_acknowledgements(&user("jo"), &[Sequence::new(7), Sequence::new(8)]);
        tracking.record_acknowledgements(&user("al"), &[Sequence::new(9)]);
        let rows = vec![
            row("jo", "n", 8, HistoryOutcome::Delivered, 3),
            row("jo", "other", 7, HistoryOutcome::Held, 2),
        ];
        recorded.record(&user("jo"), rows).now_or_never().unwrap();
        recorded
            .record(&user("al"), vec![row("al", "n", 9, HistoryOutcome::Held, 4)])
            .now_or_never()
            .unwrap();
        let tracked = tracking.get(&user("jo"), &id).unwrap();
        assert_eq!(tracked.sequence, Some(Sequence::new(8)));
        assert_eq!(tracked.events, [(HistoryOutcome::Delivered, Timestamp::from_millis(3))]);
        assert_eq!(tracked.acknowledged_at, Some(clock.now()));
        clock.advance(DURATION);
        tracking.remove_expired();
        assert_eq!((tracking.get(&user("jo"), &id), recorded.policy()), (None, None));
    }

    #[test]
    fn number_of_tracked_notifications_is_limited() {
        let tracking = Tracking::new(ManualClock::default());
        let id = |n: usize| NotificationId::new(format!("n{n}")).unwrap();
        assert!((0..MAX_TRACKED).all(|n| tracking.track(&user("jo"), &id(n))));
        assert!(tracking.track(&user("jo"), &id(0)), "a tracked one is tracked for longer");
        assert!(!tracking.track(&user("jo"), &id(MAX_TRACKED)));
    }
}
