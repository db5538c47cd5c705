//! The adapters against the suites of the ports they implement, on an AWS endpoint.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use contract_notifications_v1::{QueueEntry, Replay, Sequence};
use replayer::ports::{ReplayEntry, ReplayQueue as _};
use replayer_lambda::{DynamoMailboxKeys, SqsReplayQueue};
use shared_conformance::{mailbox_keys, replayer_queue, user};
use shared_test_kit::{MailboxTable, World};
use uuid::Uuid;

#[tokio::test]
async fn the_mailbox_keys_conform() {
    let world = World::new().await;
    let table = MailboxTable::new(&world).await;
    mailbox_keys::all(&DynamoMailboxKeys::new(&world.sdk, table.name()), &table, "m").await;
}

#[tokio::test]
async fn the_replay_queue_conforms() {
    let world = World::new().await;
    let queue = world.queue().await;
    let adapter = SqsReplayQueue::new(&world.sdk, &queue.url);
    replayer_queue::all(&adapter, &mut queue.replays(), "q").await;
}

#[tokio::test]
async fn an_entry_sent_again_is_there_once() {
    let world = World::new().await;
    let queue = world.queue().await;
    let adapter = SqsReplayQueue::new(&world.sdk, &queue.url);
    let replay = Replay { user_id: user("a"), sequence: Sequence::new(3) };
    let body = QueueEntry::Replay(replay.clone()).to_json();
    let entry = ReplayEntry { replay, body, deduplication_id: Uuid::new_v4() };
    // As after an answer that was lost on its way.
    adapter.send(std::slice::from_ref(&entry)).await.unwrap();
    adapter.send(&[entry]).await.unwrap();
    assert_eq!(queue.drain().await.len(), 1);
}
