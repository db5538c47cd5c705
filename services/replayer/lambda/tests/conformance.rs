//! Runs the ports' conformance suites against the adapters, on an AWS endpoint.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use contract_notifications_v1::{QueueEntry, Replay, Sequence};
use replayer::ports::{ReplayEntry, ReplayQueue as _};
use replayer_lambda::{DynamoMailboxKeys, SqsReplayQueue};
use shared_ports::trace;
use uuid::Uuid;
use verification_conformance::{mailbox_keys, replayer_queue, user};
use verification_test_kit::{FakeEndpoint, MailboxTable, TestResources, sdk_config_for};

#[tokio::test]
async fn mailbox_keys_conform() {
    let world = TestResources::new().await;
    let table = MailboxTable::new(&world).await;
    mailbox_keys::all(&DynamoMailboxKeys::new(&world.sdk, table.name()), &table, "m").await;
}

#[tokio::test]
async fn replay_queue_conforms() {
    let world = TestResources::new().await;
    let queue = world.queue().await;
    let adapter = SqsReplayQueue::new(&world.sdk, &queue.url);
    replayer_queue::all(&adapter, &mut queue.replays(), "q").await;
}

#[tokio::test]
async fn entry_sent_twice_is_queued_once() {
    let world = TestResources::new().await;
    let queue = world.queue().await;
    let adapter = SqsReplayQueue::new(&world.sdk, &queue.url);
    let replay = Replay { user_id: user("a"), sequence: Sequence::new(3) };
    let body = QueueEntry::Replay(replay.clone()).to_json();
    let entry = ReplayEntry { replay, body, deduplication_id: Uuid::new_v4() };
    // As after a lost answer.
    adapter.send(std::slice::from_ref(&entry)).await.unwrap();
    adapter.send(&[entry]).await.unwrap();
    assert_eq!(queue.drain().await.len(), 1);
}

#[tokio::test]
async fn replay_carries_the_trace() {
    // Emulators ignore the system attributes of batches, so the request itself is checked.
    let queue = FakeEndpoint::new(&[400]).await;
    let adapter = SqsReplayQueue::new(&sdk_config_for(&queue.url).await, &format!("{}/1/queue", queue.url));
    let replay = Replay { user_id: user("a"), sequence: Sequence::new(3) };
    let body = QueueEntry::Replay(replay.clone()).to_json();
    let entry = ReplayEntry { replay, body, deduplication_id: Uuid::new_v4() };
    let header = "Root=1-695585c0-3b9d1c2e4f5a6b7c8d9e0f1a;Sampled=1";
    let sent = trace::scope(Some(header.into()), adapter.send(&[entry])).await;
    assert!(sent.is_err_and(|error| !error.is_retryable()));
    let asked: serde_json::Value = serde_json::from_str(&queue.requests()[0].body).unwrap();
    let attributes = &asked["Entries"][0]["MessageSystemAttributes"];
    assert_eq!(attributes["AWSTraceHeader"]["StringValue"], header);
}
