//! Runs the ports' conformance suites against the adapters, on an AWS endpoint.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use aws_sdk_dynamodb::types::AttributeValue;
use contract_mailbox_v1::{attributes, scheduled};
use contract_notifications_v1::{QueueEntry, Replay, Sequence, Timestamp};
use replayer::ports::{DueReplay, DueReplays as _, ReplayEntry, ReplayQueue as _};
use replayer_lambda::{DynamoMailboxKeys, ReplaySchedule, SqsReplayQueue};
use shared_aws::{Queues, Value as _};
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
async fn replays_go_to_the_queues_of_their_users() {
    let world = TestResources::new().await;
    let [first, second] = world.two_queues().await;
    let queues = Queues::parse(&format!("{},{}", first.url, second.url)).unwrap();
    let adapter = SqsReplayQueue::new(&world.sdk, &queues);
    let entry = |name: &str| {
        let replay = Replay { user_id: user(name), sequence: Sequence::new(3) };
        let body = QueueEntry::Replay(replay.clone()).to_json();
        ReplayEntry { replay, body, deduplication_id: Uuid::new_v4() }
    };
    let failed = adapter.send(&["alice", "bob", "alice"].map(entry)).await.unwrap();
    assert!(failed.is_empty());
    let users = |ids: Vec<(String, String)>| ids.into_iter().map(|(user, _)| user).collect::<Vec<_>>();
    assert_eq!(users(first.drain_ids().await), ["bob"]);
    assert_eq!(users(second.drain_ids().await), ["alice", "alice"]);
}

#[tokio::test]
async fn queue_that_takes_nothing_fails_its_own_users_alone() {
    let world = TestResources::new().await;
    let queue = world.queue().await;
    let gone = queue.url.replace(".fifo", "-gone.fifo");
    let adapter = SqsReplayQueue::new(&world.sdk, Queues::parse(&format!("{},{gone}", queue.url)).unwrap());
    let entry = |name: &str| {
        let replay = Replay { user_id: user(name), sequence: Sequence::new(3) };
        let body = QueueEntry::Replay(replay.clone()).to_json();
        ReplayEntry { replay, body, deduplication_id: Uuid::new_v4() }
    };
    assert_eq!(adapter.send(&["alice", "bob", "alice"].map(entry)).await.unwrap(), [0, 2]);
    assert_eq!(queue.drain().await.len(), 1);
    assert!(adapter.send(&[entry("alice")]).await.is_err());
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

/// Schedules a replay as the dispatcher does.
async fn schedule(world: &TestResources, table: &MailboxTable, name: &str, at: u64) {
    let text = |text: String| AttributeValue::S(text);
    let partition = scheduled::partition(scheduled::partition_of(&user(name)));
    let put = world.dynamodb.put_item().table_name(table.name());
    put.item(attributes::USER_ID, text(partition))
        .item(attributes::SEQUENCE, text(name.to_owned()))
        .item(scheduled::SCHEDULED_AT, AttributeValue::N(at.to_string()))
        .send()
        .await
        .unwrap();
}

/// Reads all scheduled replays, `limit` at once.
async fn all(schedule: &ReplaySchedule, limit: usize) -> Vec<DueReplay> {
    let mut found: Vec<DueReplay> = Vec::new();
    loop {
        let page = schedule.due(found.last(), limit).await.unwrap();
        assert!(!page.due.is_empty() || !page.more);
        found.extend(page.due);
        if !page.more {
            return found;
        }
    }
}

#[tokio::test]
async fn scheduled_replays_are_read_once_and_removed() {
    let world = TestResources::new().await;
    let table = MailboxTable::new(&world).await;
    let adapter = ReplaySchedule::new(&world.sdk, table.name());
    assert_eq!(all(&adapter, 10).await, []);
    let names: Vec<_> = (0..20).map(|n| format!("user-{n}")).collect();
    for name in &names {
        schedule(&world, &table, name, 7).await;
    }
    for limit in [1, 3, 100] {
        let mut read: Vec<_> = all(&adapter, limit).await.into_iter().map(|due| due.user_id).collect();
        read.sort();
        let mut expected: Vec<_> = names.iter().map(|name| user(name)).collect();
        expected.sort();
        assert_eq!(read, expected);
    }
    let due = all(&adapter, 100).await;
    // Scheduled again in the meantime.
    schedule(&world, &table, due[0].user_id.as_str(), 8).await;
    for replay in &due {
        adapter.remove(replay).await.unwrap();
    }
    let left = all(&adapter, 100).await;
    assert_eq!(left, [DueReplay { scheduled_at: Timestamp::from_millis(8), ..due[0].clone() }]);
    adapter.remove(&left[0]).await.unwrap();
    adapter.remove(&left[0]).await.unwrap();
    assert_eq!(all(&adapter, 100).await, []);
}
