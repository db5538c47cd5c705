//! Broadcasts from their acceptance to every member's notification, over restarts and failures.
#![cfg(test)]

use std::collections::BTreeSet;
use std::future::Future as _;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use contract_notifications_v1::{
    FanOut, HubName, Notification, NotificationId, Payload, Timestamp, UserId, WhenOffline,
};
use dispatcher::ports::NotificationQueue;
use shared_ports::PortError;
use shared_retry::{RetryPolicy, ThreadRandom};
use tempfile::TempDir;
use tidings_hubs::{
    BroadcastSettings, Broadcasts, LocalMessageQueue, MemoryHubs, PendingBroadcasts, run_broadcasts,
};
use tidings_store::{StorageSettings, Store};
use tokio::sync::oneshot;
use verification_conformance::ManualClock;
use ws_edge::ports::{FanOutProgress, MessageQueue as _};

fn store() -> (TempDir, Store<ManualClock>, ManualClock) {
    let (directory, clock) = (tempfile::tempdir().unwrap(), ManualClock::default());
    let settings = StorageSettings { reserve_bytes: 0, ..StorageSettings::default() };
    let store = Store::open(directory.path(), settings, clock.clone()).unwrap();
    (directory, store, clock)
}

fn hub(name: &str) -> HubName {
    HubName::new(name).unwrap()
}

fn broadcast(to: &str, id: &str) -> FanOut {
    FanOut {
        hub: hub(to),
        after: None,
        except: None,
        id: NotificationId::new(id).unwrap(),
        payload: Payload::from_value(&id).unwrap(),
        sent_at: Timestamp::from_millis(1),
        expires_at: None,
        when_offline: WhenOffline::Hold,
        kind: None,
        source: None,
    }
}

/// A queue that keeps the notifications it gets, and fails after `left` pages.
#[derive(Clone)]
struct Queue {
    sent: Arc<Mutex<Vec<(String, String)>>>,
    left: Arc<Mutex<usize>>,
}

impl Queue {
    fn new(left: usize) -> Self {
        Self { sent: Arc::default(), left: Arc::new(Mutex::new(left)) }
    }

    fn sent(&self) -> Vec<(String, String)> {
        self.sent.lock().unwrap().clone()
    }
}

impl NotificationQueue for Queue {
    async fn send(&self, notifications: Vec<Notification>) -> Result<(), PortError> {
        {
            let mut left = self.left.lock().unwrap();
            if *left == 0 {
                return Err(PortError::retryable("sending", "down"));
            }
            *left -= 1;
        }
        let sent = notifications.into_iter().map(|n| (n.user_id.to_string(), n.id.to_string()));
        self.sent.lock().unwrap().extend(sent);
        Ok(())
    }
}

fn members(count: usize) -> MemoryHubs {
    let users = (0..count).map(|n| UserId::new(format!("u{n}")).unwrap());
    let pair = (0..2).map(|n| (hub("pair"), UserId::new(format!("u{n}")).unwrap()));
    MemoryHubs::new(users.flat_map(|user| [(hub("a"), user.clone()), (hub("b"), user)]).chain(pair))
}

fn open(
    store: &Store<ManualClock>,
    clock: &ManualClock,
) -> (LocalMessageQueue<ManualClock>, PendingBroadcasts) {
    let retry = RetryPolicy { initial: Duration::from_millis(1), max: Duration::from_millis(1) };
    let settings =
        BroadcastSettings { members: 2, waiting: 4, waiting_of_sender: 4, waiting_notices: 4, retry };
    let (broadcasts, jobs) = Broadcasts::open(store, settings, clock.clone()).unwrap();
    (LocalMessageQueue { store: store.clone(), broadcasts }, jobs)
}

/// Fans out until `count` different notifications are sent, and finishes the current step.
async fn until(
    (message_queue, jobs): (LocalMessageQueue<ManualClock>, PendingBroadcasts),
    clock: &ManualClock,
    queue: &Queue,
    count: usize,
) {
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        let _ = stopped.await;
    };
    let run = run_broadcasts(
        jobs,
        message_queue.broadcasts,
        members(5),
        queue.clone(),
        clock.clone(),
        ThreadRandom,
        shutdown,
    );
    let run = tokio::spawn(run);
    tokio::time::timeout(Duration::from_mins(1), async {
        while queue.sent().iter().collect::<BTreeSet<_>>().len() < count {
            clock.advance(Duration::from_millis(1));
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the broadcasts go on");
    drop(stop);
    run.await.unwrap();
}

#[tokio::test]
async fn hubs_take_turns_and_each_keeps_its_order() {
    let (_dir, store, clock) = store();
    let (message_queue, jobs) = open(&store, &clock);
    for (to, id) in [("a", "1"), ("a", "2"), ("b", "3")] {
        message_queue.broadcast(broadcast(to, id)).await.unwrap();
    }
    let queue = Queue::new(usize::MAX);
    until((message_queue, jobs), &clock, &queue, 15).await;
    let sent = queue.sent();
    let of = |id: &str| sent.iter().position(|(_, other)| other == id).unwrap();
    let last = |id: &str| sent.iter().rposition(|(_, other)| other == id).unwrap();
    assert!(last("1") < of("2"), "one broadcast of a hub after the other: {sent:?}");
    assert!(of("3") < last("1"), "another hub does not wait for the first: {sent:?}");
    for user in 0..5 {
        assert_eq!(sent.iter().filter(|(name, _)| *name == format!("u{user}")).count(), 3);
    }
}

#[tokio::test]
async fn interrupted_broadcast_continues_after_restart() {
    let (_dir, store, clock) = store();
    let first = open(&store, &clock);
    first.0.broadcast(broadcast("a", "1")).await.unwrap();
    let queue = Queue::new(1);
    until(first, &clock, &queue, 2).await;
    // Another process finds it.
    *queue.left.lock().unwrap() = usize::MAX;
    until(open(&store, &clock), &clock, &queue, 5).await;
    let mut users: Vec<_> = queue.sent().into_iter().map(|(user, _)| user).collect();
    users.sort_unstable();
    users.dedup();
    assert_eq!(users, ["u0", "u1", "u2", "u3", "u4"]);
    // A third finds nothing.
    let third = open(&store, &clock);
    third.0.broadcast(broadcast("b", "2")).await.unwrap();
    let queue = Queue::new(usize::MAX);
    until(third, &clock, &queue, 5).await;
    assert!(queue.sent().iter().all(|(_, id)| id == "2"), "{:?}", queue.sent());
}

#[tokio::test]
async fn broadcast_of_a_caller_that_is_gone_goes_on() {
    let (_dir, store, clock) = store();
    let (message_queue, jobs) = open(&store, &clock);
    for id in ["1", "2", "3", "4"] {
        let mut accepting = pin!(message_queue.broadcast(broadcast("a", id)));
        assert!(accepting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let queue = Queue::new(usize::MAX);
    until((message_queue, jobs), &clock, &queue, 20).await;
    assert_eq!(queue.sent().len(), 20);
}

#[tokio::test]
async fn number_of_waiting_broadcasts_is_limited() {
    let (_dir, store, clock) = store();
    let (message_queue, _jobs) = open(&store, &clock);
    for n in 0..4 {
        message_queue.broadcast(broadcast("a", &n.to_string())).await.unwrap();
    }
    let error = message_queue.broadcast(broadcast("a", "5")).await.unwrap_err();
    assert!(error.is_retryable());
}

#[tokio::test]
async fn answer_waits_for_the_first_step() {
    for (to, count, progress) in [("pair", 2, FanOutProgress::Complete), ("a", 5, FanOutProgress::Pending)] {
        let (_dir, store, clock) = store();
        let (message_queue, jobs) = open(&store, &clock);
        let sender = message_queue.clone();
        let answer =
            tokio::spawn(async move { sender.broadcast_in_order(broadcast(to, "1")).await.unwrap() });
        let queue = Queue::new(usize::MAX);
        until((message_queue, jobs), &clock, &queue, count).await;
        assert_eq!(answer.await.unwrap(), progress);
    }
}

#[tokio::test]
async fn answer_does_not_wait_for_ever() {
    let (_dir, store, clock) = store();
    let (message_queue, _jobs) = open(&store, &clock);
    let answer =
        tokio::spawn(async move { message_queue.broadcast_in_order(broadcast("a", "1")).await.unwrap() });
    while !answer.is_finished() {
        clock.advance(Duration::from_millis(100));
        tokio::task::yield_now().await;
    }
    assert_eq!(answer.await.unwrap(), FanOutProgress::Pending);
}
