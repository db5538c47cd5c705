//! Batches over in-memory ports.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use contract_connections_v1::{Connection, ConnectionId, FrameFormat};
use contract_history_v1::HistoryOutcome;
use contract_notifications_v1::{HubName, Notification, Replay, Sequence, UserId, Version1};
use shared_ports::Clock;
use shared_ports::PortError;
use shared_retry::ThreadRandom;

use super::*;
use crate::core::ConnectionSet;
use crate::ports::{
    BroadcastQueue, Connections, DeadLetters, History, HistoryPolicy, Homes, HubMembers, Mailbox, MailboxRow,
    MembersPage, NotificationQueue, Page, PageQuery, Ports, Push, PushError, PushFrame, Pushed, Redelivery,
    ReplayQueue,
};
use crate::service::Settings;

/// All ports. Each user has one connection, named after the user.
#[derive(Default)]
struct World {
    /// Users whose connections can't be listed.
    failing: Vec<&'static str>,
    /// Users whose connections are never listed.
    hanging: Vec<&'static str>,
    dead_letters_fail: bool,
    /// Groups whose home is another queue.
    strangers: Vec<&'static str>,
    /// Body of the entry that can't be forwarded.
    not_forwarded: &'static str,
    /// Group, deduplication ID and body of each forwarded entry.
    forwarded: Mutex<Vec<(String, String, String)>>,
    renewal_fails: bool,
    /// The behaviour of the history; `None` if it is off.
    history: Option<HistoryAnswer>,
    pushed: Mutex<Vec<(String, String)>>,
    traces: Mutex<BTreeMap<String, Option<Arc<str>>>>,
    dead_letters: Mutex<Vec<(String, String)>>,
    sent: Mutex<Vec<(String, String)>>,
    postponed: Mutex<Vec<(Vec<String>, Duration)>>,
    scheduled: Mutex<Vec<String>>,
    recorded: Mutex<Vec<MessageRow>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum HistoryAnswer {
    AtOnce,
    Never,
}

impl History for &World {
    fn policy(&self) -> Option<HistoryPolicy> {
        self.history.map(|_| HistoryPolicy { lifetime: Duration::from_mins(1), payloads: true })
    }

    async fn record(&self, user: &UserId, rows: Vec<MessageRow>) {
        assert!(rows.iter().all(|row| row.user_id == *user));
        if self.history == Some(HistoryAnswer::Never) {
            std::future::pending::<()>().await;
        }
        self.recorded.lock().unwrap().extend(rows);
    }
}

impl Connections for &World {
    async fn list(&self, user: &UserId) -> Result<Vec<Connection>, PortError> {
        if self.failing.contains(&user.as_str()) {
            return Err(PortError::retryable("listing", "down"));
        }
        if self.hanging.contains(&user.as_str()) {
            std::future::pending::<()>().await;
        }
        Ok(vec![Connection {
            version: Version1,
            user_id: user.clone(),
            connection_id: ConnectionId::new(user.as_str()),
            connected_at: Timestamp::from_millis(0),
            acknowledges: false,
            format: FrameFormat::Raw,
            expires_at: None,
            ttl: 0,
        }])
    }

    async fn forget(&self, _: &UserId, _: &ConnectionId, _: Timestamp) -> Result<(), PortError> {
        Ok(())
    }
}

impl Mailbox for &World {
    async fn page(&self, _: &UserId, _: PageQuery) -> Result<Page, PortError> {
        Ok(Page::default())
    }

    async fn put(&self, _: &UserId, _: Vec<MailboxRow>) -> Result<(), PortError> {
        Ok(())
    }

    async fn delete(&self, _: &UserId, _: &[Sequence]) -> Result<(), PortError> {
        Ok(())
    }

    async fn mark(&self, _: &UserId, _: &[(Sequence, ConnectionSet)]) -> Result<(), PortError> {
        Ok(())
    }
}

impl Push for &World {
    async fn push(&self, user: &UserId, _: &ConnectionId, frames: Vec<PushFrame>) -> Pushed {
        self.traces.lock().unwrap().insert(user.to_string(), trace::current());
        for (accepted, frame) in frames.iter().enumerate() {
            let text = String::from_utf8(frame.text.to_vec()).unwrap();
            if text == "\"refused\"" {
                return Pushed { accepted, error: Some(PushError::Unavailable("throttled".into())) };
            }
            self.pushed.lock().unwrap().push((user.to_string(), text));
        }
        Pushed { accepted: frames.len(), error: None }
    }
}

impl ReplayQueue for &World {
    async fn enqueue(&self, _: Replay) -> Result<(), PortError> {
        Ok(())
    }

    async fn enqueue_later(&self, user: &UserId) -> Result<(), PortError> {
        self.scheduled.lock().unwrap().push(user.to_string());
        Ok(())
    }
}

impl Homes for &World {
    fn is_home(&self, group: &str) -> bool {
        !self.strangers.contains(&group)
    }

    async fn forward(&self, entry: ForwardedEntry<'_>) -> Result<(), PortError> {
        let ForwardedEntry { group, deduplication_id, body } = entry;
        if !self.not_forwarded.is_empty() && body.contains(self.not_forwarded) {
            return Err(PortError::retryable("forwarding", "down"));
        }
        self.forwarded.lock().unwrap().push((group.to_owned(), deduplication_id.to_owned(), body));
        Ok(())
    }
}

/// Each hub has the members m1, m2 and m3.
impl HubMembers for &World {
    async fn page(
        &self,
        hub: &HubName,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<MembersPage, PortError> {
        if self.failing.contains(&hub.as_str()) {
            return Err(PortError::retryable("reading members", "down"));
        }
        let all = ["m1", "m2", "m3"].map(|name| UserId::new(name).unwrap());
        let mut users: Vec<_> =
            all.into_iter().filter(|user| after.is_none_or(|after| user > after)).collect();
        let more = users.len() > limit;
        users.truncate(limit);
        Ok(MembersPage { users, more })
    }
}

impl NotificationQueue for &World {
    async fn send(&self, notifications: Vec<Notification>) -> Result<(), PortError> {
        let sent = notifications.into_iter().map(|n| (n.user_id.to_string(), n.payload.get().to_owned()));
        self.sent.lock().unwrap().extend(sent);
        Ok(())
    }
}

impl BroadcastQueue for &World {
    async fn enqueue_rest(&self, rest: FanOut) -> Result<(), PortError> {
        let after = rest.after.unwrap().to_string();
        self.sent.lock().unwrap().push((rest.hub.group(), after));
        Ok(())
    }
}

impl DeadLetters for &World {
    async fn dead_letter(&self, letter: DeadLetter<'_>) -> Result<(), PortError> {
        if self.dead_letters_fail {
            return Err(PortError::retryable("dead-lettering", "down"));
        }
        self.dead_letters.lock().unwrap().push((letter.message_id.to_owned(), letter.reason.to_owned()));
        Ok(())
    }
}

impl Redelivery for &World {
    async fn postpone(&self, receipts: &[&str], delay: Duration) -> Result<(), PortError> {
        let receipts = receipts.iter().map(|receipt| (*receipt).to_owned()).collect();
        self.postponed.lock().unwrap().push((receipts, delay));
        if self.renewal_fails {
            return Err(PortError::permanent("postponing", "not in flight"));
        }
        Ok(())
    }
}

/// A clock that stands still and whose sleeps end at once.
struct FrozenClock;

impl Clock for FrozenClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_000_000)
    }

    async fn sleep(&self, _: Duration) {}
}

impl Ports for &World {
    type Connections = Self;
    type Mailbox = Self;
    type Push = Self;
    type Queue = Self;
    type Clock = FrozenClock;
    type Jitter = ThreadRandom;
    type History = Self;
}

impl BatchPorts for &World {
    type DeadLetters = Self;
    type Redelivery = Self;
    type Members = Self;
    type Homes = Self;
}

/// Dispatches a batch of entries, given as (group, body), that was just received.
fn dispatch(world: &World, entries: &[(&str, &str)], receive_count: u32) -> Vec<Outcome> {
    dispatch_after(world, entries, receive_count, Duration::ZERO)
}

/// Dispatches a batch of entries, given as (group, body), that was received a while ago.
fn dispatch_after(
    world: &World,
    entries: &[(&str, &str)],
    receive_count: u32,
    ago: Duration,
) -> Vec<Outcome> {
    let ago = u64::try_from(ago.as_millis()).unwrap();
    let first_received_at = Timestamp::from_millis(FrozenClock.now().millis() - ago);
    let names: Vec<_> = (0..entries.len()).map(|n| n.to_string()).collect();
    let batch: Vec<_> = entries
        .iter()
        .zip(&names)
        .zip(1_u128..)
        .map(|(((group, body), name), n)| QueueMessage {
            entry: ReceivedEntry {
                group,
                body,
                sequence: Sequence::new(n),
                deduplication_id: name,
                sent_at: Timestamp::from_millis(0),
                receive_count,
            },
            message_id: name,
            receipt: name,
            first_received_at: Some(first_received_at),
            trace: (*group == "traced").then(|| "Root=1".into()),
        })
        .collect();
    let dispatcher = Dispatcher {
        connections: world,
        mailbox: world,
        push: world,
        queue: world,
        clock: FrozenClock,
        jitter: ThreadRandom,
        settings: Settings::default(),
        history: world,
    };
    let dispatcher = BatchDispatcher::<&World> {
        dispatcher,
        dead_letters: world,
        redelivery: world,
        homes: world,
        members: world,
        fan_out_members: 2,
        settings: BatchSettings::default(),
    };
    // A failed push is hardly attempted again within the batch, because the clock stands still.
    let over = Timestamp::from_millis(0);
    let retries = FrozenClock.now().plus(Duration::from_millis(1));
    let deadlines = Deadlines { retries, runs: over, answer: over };
    let mut future = pin!(dispatcher.dispatch_batch(&batch, deadlines));
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcomes) => outcomes,
        Poll::Pending => panic!("a port waits"),
    }
}

const DONE: Outcome = Outcome::Done;
const RETRY: Outcome = Outcome::Retry;

#[test]
fn failure_fails_the_rest_of_that_user_only() {
    let world = World::default();
    let outcomes = dispatch(
        &world,
        &[
            ("a", r#"{"userId":"a","message":1}"#),
            ("b", r#"{"userId":"b","message":2}"#),
            ("a", r#"{"userId":"a","message":"refused"}"#),
            ("b", r#"{"userId":"b","message":3}"#),
            ("a", r#"{"userId":"a","message":4}"#),
        ],
        3,
    );
    assert_eq!(outcomes, [DONE, DONE, RETRY, DONE, RETRY]);
    let pushed = world.pushed.into_inner().unwrap();
    let of =
        |user: &str| pushed.iter().filter(|(u, _)| u == user).map(|(_, t)| t.as_str()).collect::<Vec<_>>();
    assert_eq!(of("a"), ["1"]);
    assert_eq!(of("b"), ["2", "3"]);
    let postponed = world.postponed.into_inner().unwrap();
    let failed = (vec!["2".to_owned(), "4".to_owned()], Duration::from_secs(4));
    assert!(postponed.contains(&failed), "{postponed:?}");
}

#[test]
fn failed_run_delays_no_other_user() {
    let world = World { failing: vec!["a"], ..World::default() };
    let entries = [("a", r#"{"userId":"a","message":1}"#), ("b", r#"{"userId":"b","message":2}"#)];
    assert_eq!(dispatch(&world, &entries, 1), [RETRY, DONE]);
    assert_eq!(world.postponed.into_inner().unwrap(), [(vec!["0".to_owned()], Duration::from_secs(1))]);
}

#[test]
fn hanging_run_is_cancelled_alone() {
    let world = World { hanging: vec!["a"], ..World::default() };
    let entries = [("a", r#"{"userId":"a","message":1}"#), ("b", r#"{"userId":"b","message":2}"#)];
    assert_eq!(dispatch(&world, &entries, 2), [RETRY, DONE]);
    let postponed = world.postponed.into_inner().unwrap();
    assert!(postponed.contains(&(vec!["0".to_owned()], Duration::from_secs(2))), "{postponed:?}");
}

/// A throttled event source may keep a batch back until its visibility timeout has nearly ended. Then the next
/// delivery may overlap this one.
#[test]
fn entries_received_too_long_ago_are_not_begun() {
    let entries = [("a", r#"{"userId":"a","message":1}"#)];
    for (ago, outcome) in [(180, DONE), (181, RETRY)] {
        let world = World::default();
        assert_eq!(dispatch_after(&world, &entries, 1, Duration::from_secs(ago)), [outcome]);
        assert_eq!(world.pushed.lock().unwrap().is_empty(), outcome == RETRY);
        assert!(world.postponed.lock().unwrap().is_empty());
    }
}

#[test]
fn redelivered_entries_are_begun_with_new_visibility() {
    let entries = [("a", r#"{"userId":"a","message":1}"#), ("a", r#"{"userId":"a","message":2}"#)];
    let long_ago = Duration::from_mins(15);
    for refused in [false, true] {
        let world = World { renewal_fails: refused, ..World::default() };
        let outcome = if refused { RETRY } else { DONE };
        assert_eq!(dispatch_after(&world, &entries, 2, long_ago), [outcome, outcome]);
        assert_eq!(world.pushed.lock().unwrap().is_empty(), refused);
        let renewed = [(vec!["0".to_owned(), "1".to_owned()], Duration::from_mins(3))];
        assert_eq!(world.postponed.lock().unwrap()[..], renewed);
    }
}

#[test]
fn entries_that_failed_repeatedly_are_set_aside() {
    let entries = [("a", r#"{"userId":"a","message":"refused"}"#), ("b", r#"{"userId":"b","message":2}"#)];
    for (receives, outcomes) in [(3, [RETRY, DONE]), (4, [DONE, DONE])] {
        let world = World::default();
        assert_eq!(dispatch(&world, &entries, receives), outcomes);
        let aside: &[&str] = if receives > 3 { &["a", "b"] } else { &[] };
        assert_eq!(world.scheduled.lock().unwrap()[..], *aside);
    }
}

#[test]
fn poison_is_dead_lettered_with_its_reason() {
    let world = World::default();
    let entries =
        [("a", "nonsense"), ("a", r#"{"userId":"a","message":1}"#), ("b", r#"{"userId":"c","message":1}"#)];
    assert_eq!(dispatch(&world, &entries, 1), [DONE, DONE, DONE]);
    let dead_letters = world.dead_letters.into_inner().unwrap();
    assert_eq!(dead_letters.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["0", "2"]);
    assert!(dead_letters[0].1.starts_with("not a valid JSON notification: "), "{}", dead_letters[0].1);
    assert!(dead_letters[1].1.contains("must be the same"), "{}", dead_letters[1].1);
    assert!(world.postponed.into_inner().unwrap().is_empty());
}

#[test]
fn poison_stays_queued_if_dead_lettering_fails() {
    let world = World { dead_letters_fail: true, ..World::default() };
    let entries = [("a", "nonsense"), ("a", r#"{"userId":"a","message":1}"#)];
    assert_eq!(dispatch(&world, &entries, 1), [RETRY, DONE]);
}

#[test]
fn push_belongs_to_the_trace_of_its_run() {
    let world = World::default();
    let entries = [("traced", r#"{"userId":"traced","message":1}"#), ("b", r#"{"userId":"b","message":2}"#)];
    dispatch(&world, &entries, 1);
    let traces = world.traces.into_inner().unwrap();
    assert_eq!(traces["traced"].as_deref(), Some("Root=1"));
    assert_eq!(traces["b"], None);
}

#[test]
fn broadcast_is_fanned_out_step_by_step() {
    let world = World { failing: vec!["down"], ..World::default() };
    let outcomes = dispatch(
        &world,
        &[
            ("hub/x", r#"{"type":"fan-out","hub":"x","payload":1}"#),
            ("hub/down", r#"{"type":"fan-out","hub":"down","payload":2}"#),
            ("hub/x", r#"{"type":"fan-out","hub":"x","after":"m2","payload":3}"#),
            ("hub/down", r#"{"type":"fan-out","hub":"down","payload":4}"#),
            ("a", r#"{"userId":"a","message":5}"#),
        ],
        1,
    );
    assert_eq!(outcomes, [DONE, RETRY, DONE, RETRY, DONE]);
    let sent = world.sent.lock().unwrap();
    let sent: Vec<_> = sent.iter().map(|(to, what)| (to.as_str(), what.as_str())).collect();
    assert_eq!(sent, [("m1", "1"), ("m2", "1"), ("hub/x", "m2"), ("m3", "3")]);
    // Both entries of the failed hub are postponed together.
    assert_eq!(world.postponed.lock().unwrap()[0].0, ["1", "3"]);
}

#[test]
fn history_is_recorded_with_payloads() {
    let world = World { history: Some(HistoryAnswer::AtOnce), failing: vec!["b"], ..World::default() };
    let body = |user: &str| format!(r#"{{"userId":"{user}","id":"n","payload":[1],"source":"shop"}}"#);
    let (a, b) = (body("a"), body("b"));
    assert_eq!(dispatch(&world, &[("a", &a), ("b", &b)], 1), [DONE, RETRY]);
    let recorded = world.recorded.lock().unwrap();
    let [row] = &recorded[..] else { panic!("{recorded:?}") };
    assert_eq!(
        (row.user_id.as_str(), row.notification_id.as_str(), row.outcome),
        ("a", "n", HistoryOutcome::Delivered)
    );
    assert_eq!((row.payload.as_deref(), row.source.as_deref()), (Some("[1]"), Some("shop")));
    assert_eq!((row.at, row.ttl), (Timestamp::from_millis(1_000_000), 1_060));
}

/// The clock ends every sleep at once, so the recording is cancelled at once.
#[test]
fn hanging_history_changes_no_outcome() {
    let world = World { history: Some(HistoryAnswer::Never), ..World::default() };
    let body = r#"{"userId":"a","payload":1}"#;
    assert_eq!(dispatch(&world, &[("a", body)], 1), [DONE]);
    assert_eq!(world.pushed.lock().unwrap().len(), 1);
    assert!(world.recorded.lock().unwrap().is_empty());
}

#[test]
fn strangers_are_forwarded_in_order() {
    let world = World { strangers: vec!["a", "hub/x"], ..World::default() };
    let replay = r#"{"type":"replay","userId":"a","sequence":"340282366920938463463374607431768211455"}"#;
    let outcomes = dispatch(
        &world,
        &[
            ("a", r#"{"userId":"a","message":1}"#),
            ("b", r#"{"userId":"b","message":2}"#),
            ("hub/x", r#"{"type":"fan-out","hub":"x","payload":3}"#),
            ("a", replay),
            ("a", "nonsense"),
            ("a", r#"{"userId":"a","id":"own","message":4}"#),
        ],
        1,
    );
    assert_eq!(outcomes, [DONE; 6]);
    assert_eq!(world.pushed.into_inner().unwrap(), [("b".to_owned(), "2".to_owned())]);
    assert_eq!(world.dead_letters.into_inner().unwrap().len(), 1);
    assert!(world.sent.into_inner().unwrap().is_empty(), "no member of the hub is served here");
    let forwarded = world.forwarded.into_inner().unwrap();
    let of = |group: &str| {
        let own = forwarded.iter().filter(|(of, ..)| of == group);
        own.map(|(_, id, body)| (id.as_str(), body.as_str())).collect::<Vec<_>>()
    };
    let user = of("a");
    assert_eq!(user.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ["0", "3", "5"]);
    // What the queue would have given stays: the id of a notification without one, and its send time.
    assert!(user[0].1.contains(r#""id":"0""#) && user[0].1.contains(r#""sentAt":0"#), "{}", user[0].1);
    assert_eq!(user[1].1, replay);
    assert!(user[2].1.contains(r#""id":"own""#), "{}", user[2].1);
    assert_eq!(of("hub/x")[0].0, "2");
}

#[test]
fn failed_forward_fails_the_rest_of_that_user_only() {
    let world = World { strangers: vec!["a", "c"], not_forwarded: r#""payload":2"#, ..World::default() };
    let outcomes = dispatch(
        &world,
        &[
            ("a", r#"{"userId":"a","payload":1}"#),
            ("a", r#"{"userId":"a","payload":2}"#),
            ("b", r#"{"userId":"b","payload":3}"#),
            ("a", r#"{"userId":"a","payload":4}"#),
            ("c", r#"{"userId":"c","payload":5}"#),
        ],
        2,
    );
    assert_eq!(outcomes, [DONE, RETRY, DONE, RETRY, DONE]);
    let forwarded = world.forwarded.into_inner().unwrap();
    assert_eq!(forwarded.iter().map(|(_, id, _)| id.as_str()).collect::<Vec<_>>(), ["0", "4"]);
    let postponed = world.postponed.into_inner().unwrap();
    assert!(postponed.iter().any(|(receipts, _)| receipts == &["1", "3"]), "{postponed:?}");
}

#[test]
fn stranger_received_too_long_ago_is_not_forwarded() {
    let world = World { strangers: vec!["a"], renewal_fails: true, ..World::default() };
    assert_eq!(dispatch(&world, &[("a", r#"{"userId":"a","payload":1}"#)], 2), [RETRY]);
    assert!(world.forwarded.into_inner().unwrap().is_empty());
}
