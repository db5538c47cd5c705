//! Batches over ports in memory.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use contract_connections_v1::{Connection, ConnectionId, FrameFormat};
use contract_history_v1::HistoryOutcome;
use contract_notifications_v1::{HubName, Notification, Replay, Sequence, UserId, Version1};
use shared_ports::PortError;
use shared_retry::ThreadRandom;

use super::*;
use crate::Settings;
use crate::ports::{
    HistoryPolicy, MailboxRow, MembersPage, Notifications, Page, PageQuery, PushError, Pushed,
};

/// Every port: each user has one connection, named after the user.
#[derive(Default)]
struct Ports {
    /// Users whose connections can't be listed.
    failing: Vec<&'static str>,
    /// Users whose connections are never listed.
    hanging: Vec<&'static str>,
    dead_letters_fail: bool,
    /// Whether there is a history, and whether it ever answers.
    history: Option<Answers>,
    pushed: Mutex<Vec<(String, String)>>,
    traces: Mutex<BTreeMap<String, Option<Arc<str>>>>,
    buried: Mutex<Vec<(String, String)>>,
    sent: Mutex<Vec<(String, String)>>,
    postponed: Mutex<Vec<(Vec<String>, Duration)>>,
    recorded: Mutex<Vec<MessageRow>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    AtOnce,
    Never,
}

impl History for &Ports {
    fn policy(&self) -> Option<HistoryPolicy> {
        self.history.map(|_| HistoryPolicy { lifetime: Duration::from_mins(1), payloads: true })
    }

    async fn record(&self, user: &UserId, rows: Vec<MessageRow>) {
        assert!(rows.iter().all(|row| row.user_id == *user));
        if self.history == Some(Answers::Never) {
            std::future::pending::<()>().await;
        }
        self.recorded.lock().unwrap().extend(rows);
    }
}

impl Connections for &Ports {
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

impl Mailbox for &Ports {
    async fn page(&self, _: &UserId, _: PageQuery) -> Result<Page, PortError> {
        Ok(Page::default())
    }

    async fn put(&self, _: &UserId, _: Vec<MailboxRow>) -> Result<(), PortError> {
        Ok(())
    }

    async fn delete(&self, _: &UserId, _: &[Sequence]) -> Result<(), PortError> {
        Ok(())
    }

    async fn mark(
        &self,
        _: &UserId,
        _: &[(Sequence, std::collections::BTreeSet<ConnectionId>)],
    ) -> Result<(), PortError> {
        Ok(())
    }
}

impl Push for &Ports {
    async fn push(&self, user: &UserId, _: &ConnectionId, frames: Vec<Bytes>) -> Pushed {
        self.traces.lock().unwrap().insert(user.to_string(), trace::current());
        for (accepted, frame) in frames.iter().enumerate() {
            let text = String::from_utf8(frame.to_vec()).unwrap();
            if text == "\"refused\"" {
                return Pushed { accepted, error: Some(PushError::Unavailable("throttled".into())) };
            }
            self.pushed.lock().unwrap().push((user.to_string(), text));
        }
        Pushed { accepted: frames.len(), error: None }
    }
}

impl ReplayQueue for &Ports {
    async fn enqueue(&self, _: Replay) -> Result<(), PortError> {
        Ok(())
    }
}

/// Every hub has the members m1, m2 and m3.
impl HubMembers for &Ports {
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

impl Notifications for &Ports {
    async fn send(&self, notifications: Vec<Notification>) -> Result<(), PortError> {
        let sent = notifications.into_iter().map(|n| (n.user_id.to_string(), n.payload.get().to_owned()));
        self.sent.lock().unwrap().extend(sent);
        Ok(())
    }
}

impl BroadcastQueue for &Ports {
    async fn go_on(&self, rest: FanOut) -> Result<(), PortError> {
        let after = rest.after.unwrap().to_string();
        self.sent.lock().unwrap().push((rest.hub.group(), after));
        Ok(())
    }
}

impl DeadLetters for &Ports {
    async fn bury(&self, letter: DeadLetter<'_>) -> Result<(), PortError> {
        if self.dead_letters_fail {
            return Err(PortError::retryable("burying", "down"));
        }
        self.buried.lock().unwrap().push((letter.message_id.to_owned(), letter.reason.to_owned()));
        Ok(())
    }
}

impl Redelivery for &Ports {
    async fn postpone(&self, receipts: &[&str], delay: Duration) -> Result<(), PortError> {
        let receipts = receipts.iter().map(|receipt| (*receipt).to_owned()).collect();
        self.postponed.lock().unwrap().push((receipts, delay));
        Ok(())
    }
}

/// A clock that stands still; nothing here waits for it to move, because no time is left to wait.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_000_000)
    }

    async fn sleep(&self, _: Duration) {}
}

/// The entries as (group, body).
fn dispatch(ports: &Ports, entries: &[(&str, &str)], receive_count: u32) -> Vec<Outcome> {
    let names: Vec<_> = (0..entries.len()).map(|n| n.to_string()).collect();
    let batch: Vec<_> = entries
        .iter()
        .zip(&names)
        .zip(1_u128..)
        .map(|(((group, body), name), n)| Delivery {
            received: Received {
                group,
                body,
                sequence: Sequence::new(n),
                deduplication_id: name,
                sent_at: Timestamp::from_millis(0),
                receive_count,
            },
            message_id: name,
            receipt: name,
            trace: (*group == "traced").then(|| "Root=1".into()),
        })
        .collect();
    let dispatcher = Dispatcher {
        connections: ports,
        mailbox: ports,
        push: ports,
        queue: ports,
        clock: Still,
        jitter: ThreadRandom,
        settings: Settings::default(),
        history: ports,
    };
    let dispatcher = BatchDispatcher {
        dispatcher,
        dead_letters: ports,
        redelivery: ports,
        members: ports,
        fan_out_members: 2,
    };
    // The time is over at once: what fails is not tried again within the batch.
    let over = Timestamp::from_millis(0);
    let deadlines = Deadlines { retries: over, runs: over, history: over };
    let mut future = pin!(dispatcher.dispatch_batch(&batch, deadlines));
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcomes) => outcomes,
        Poll::Pending => panic!("the ports never wait"),
    }
}

const DONE: Outcome = Outcome::Done;
const RETRY: Outcome = Outcome::Retry;

#[test]
fn after_a_failure_the_rest_of_that_user_fails_and_nobody_else() {
    let ports = Ports::default();
    let outcomes = dispatch(
        &ports,
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
    let pushed = ports.pushed.into_inner().unwrap();
    let of =
        |user: &str| pushed.iter().filter(|(u, _)| u == user).map(|(_, t)| t.as_str()).collect::<Vec<_>>();
    assert_eq!(of("a"), ["1"]);
    assert_eq!(of("b"), ["2", "3"]);
    let postponed = ports.postponed.into_inner().unwrap();
    assert_eq!(postponed, [(vec!["2".to_owned(), "4".to_owned()], Duration::from_secs(4))]);
}

#[test]
fn a_user_whose_run_fails_holds_up_nobody() {
    let ports = Ports { failing: vec!["a"], ..Ports::default() };
    let entries = [("a", r#"{"userId":"a","message":1}"#), ("b", r#"{"userId":"b","message":2}"#)];
    assert_eq!(dispatch(&ports, &entries, 1), [RETRY, DONE]);
    assert_eq!(ports.postponed.into_inner().unwrap(), [(vec!["0".to_owned()], Duration::from_secs(1))]);
}

#[test]
fn a_user_whose_run_hangs_is_given_up_alone() {
    let ports = Ports { hanging: vec!["a"], ..Ports::default() };
    let entries = [("a", r#"{"userId":"a","message":1}"#), ("b", r#"{"userId":"b","message":2}"#)];
    assert_eq!(dispatch(&ports, &entries, 2), [RETRY, DONE]);
    assert_eq!(ports.postponed.into_inner().unwrap(), [(vec!["0".to_owned()], Duration::from_secs(2))]);
}

#[test]
fn poison_is_buried_with_its_reason_and_holds_up_nobody() {
    let ports = Ports::default();
    let entries =
        [("a", "nonsense"), ("a", r#"{"userId":"a","message":1}"#), ("b", r#"{"userId":"c","message":1}"#)];
    assert_eq!(dispatch(&ports, &entries, 1), [DONE, DONE, DONE]);
    let buried = ports.buried.into_inner().unwrap();
    assert_eq!(buried.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["0", "2"]);
    assert!(buried[0].1.starts_with("not a valid JSON notification: "), "{}", buried[0].1);
    assert!(buried[1].1.contains("must be the same"), "{}", buried[1].1);
    assert!(ports.postponed.into_inner().unwrap().is_empty());
}

#[test]
fn poison_that_can_not_be_buried_stays_in_the_queue() {
    let ports = Ports { dead_letters_fail: true, ..Ports::default() };
    let entries = [("a", "nonsense"), ("a", r#"{"userId":"a","message":1}"#)];
    assert_eq!(dispatch(&ports, &entries, 1), [RETRY, DONE]);
}

#[test]
fn a_push_belongs_to_the_trace_of_its_run() {
    let ports = Ports::default();
    let entries = [("traced", r#"{"userId":"traced","message":1}"#), ("b", r#"{"userId":"b","message":2}"#)];
    dispatch(&ports, &entries, 1);
    let traces = ports.traces.into_inner().unwrap();
    assert_eq!(traces["traced"].as_deref(), Some("Root=1"));
    assert_eq!(traces["b"], None);
}

#[test]
fn a_broadcast_becomes_a_notification_for_each_member_step_by_step() {
    let ports = Ports { failing: vec!["down"], ..Ports::default() };
    let outcomes = dispatch(
        &ports,
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
    let sent = ports.sent.lock().unwrap();
    let sent: Vec<_> = sent.iter().map(|(to, what)| (to.as_str(), what.as_str())).collect();
    assert_eq!(sent, [("m1", "1"), ("m2", "1"), ("hub/x", "m2"), ("m3", "3")]);
    // Both of the hub that failed come again together.
    assert_eq!(ports.postponed.lock().unwrap()[0].0, ["1", "3"]);
}

#[test]
fn what_became_of_notifications_is_recorded_with_their_payloads() {
    let ports = Ports { history: Some(Answers::AtOnce), failing: vec!["b"], ..Ports::default() };
    let body = |user: &str| format!(r#"{{"userId":"{user}","id":"n","payload":[1],"source":"shop"}}"#);
    let (a, b) = (body("a"), body("b"));
    assert_eq!(dispatch(&ports, &[("a", &a), ("b", &b)], 1), [DONE, RETRY]);
    let recorded = ports.recorded.lock().unwrap();
    let [row] = &recorded[..] else { panic!("{recorded:?}") };
    assert_eq!(
        (row.user_id.as_str(), row.notification_id.as_str(), row.outcome),
        ("a", "n", HistoryOutcome::Delivered)
    );
    assert_eq!((row.payload.as_deref(), row.source.as_deref()), (Some("[1]"), Some("shop")));
    assert_eq!((row.at, row.ttl), (Timestamp::from_millis(1_000_000), 1_060));
}

/// The test's clock is over every sleep at once, so that what never answers is given up at once.
#[test]
fn a_history_that_does_not_answer_changes_nothing() {
    let ports = Ports { history: Some(Answers::Never), ..Ports::default() };
    let body = r#"{"userId":"a","payload":1}"#;
    assert_eq!(dispatch(&ports, &[("a", body)], 1), [DONE]);
    assert_eq!(ports.pushed.lock().unwrap().len(), 1);
    assert!(ports.recorded.lock().unwrap().is_empty());
}
