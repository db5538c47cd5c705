//! Runs the ports' conformance suites against the adapters, on an AWS endpoint.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use contract_deployment_v1::{DEAD_LETTER_ID, DEAD_LETTER_REASON, DEAD_LETTER_SENT_AT};
use contract_mailbox_v1::{attributes, scheduled};
use contract_notifications_v1::{HubName, Payload, QueueEntry, Replay, Sequence, Timestamp};
use dispatcher::core::ConnectionSet;
use dispatcher::ports::{
    BroadcastQueue as _, DeadLetter, DeadLetters as _, EntryOrigin, ForwardedEntry, HistoryPolicy,
    Homes as _, HubMembers as _, Mailbox as _, MailboxRow, NotificationQueue as _, PageQuery,
    Redelivery as _, ReplayQueue as _,
};
use dispatcher_lambda::{
    DynamoConnections, DynamoHistory, DynamoHubMembers, DynamoMailbox, ReplaySchedule, SqsDeadLetters,
    SqsQueue,
};
use shared_aws::{Queues, Value as _};
use shared_ports::{Clock as _, SystemClock, trace};
use shared_retry::RetryPolicy;
use verification_conformance::fixture::HubRows as _;
use verification_conformance::{
    connection, connections, history, hub_members, mailbox, notification, replay_queue, user,
};
use verification_test_kit::{
    ConnectionsTable, HistoryTable, HubsTable, MailboxTable, TestQueue, TestResources,
};

const RETRY: RetryPolicy =
    RetryPolicy { initial: Duration::from_millis(10), max: Duration::from_millis(100) };

/// Returns the adapter for a table without rows that can't be read.
fn mailbox_in(world: &TestResources, table: &MailboxTable) -> DynamoMailbox {
    let unused = SqsDeadLetters::new(&world.sqs, "http://127.0.0.1:1/no-queue");
    DynamoMailbox::new(&world.dynamodb, table.name(), RETRY, unused)
}

#[tokio::test]
async fn later_replay_is_a_row_for_the_replayer() {
    let world = TestResources::new().await;
    let table = MailboxTable::new(&world).await;
    let queue = world.queue().await;
    let schedule = ReplaySchedule::new(&world.dynamodb, table.name());
    let adapter = SqsQueue::new(&world.sqs, &queue.url).with_schedule(schedule);
    let alice = user("alice");
    let before = SystemClock.now();
    for _ in 0..2 {
        adapter.enqueue_later(&alice).await.unwrap();
    }
    assert!(queue.drain().await.is_empty());
    let partition = scheduled::partition(scheduled::partition_of(&alice));
    let rows = world
        .dynamodb
        .query()
        .table_name(table.name())
        .key_condition_expression("#partition = :partition")
        .expression_attribute_names("#partition", attributes::USER_ID)
        .expression_attribute_values(":partition", AttributeValue::S(partition))
        .send()
        .await
        .unwrap();
    let [row] = rows.items() else { panic!("{rows:?}") };
    assert_eq!(row[attributes::SEQUENCE].as_s().unwrap(), "alice");
    let at: u64 = row[scheduled::SCHEDULED_AT].as_n().unwrap().parse().unwrap();
    assert!((before.millis()..=SystemClock.now().millis()).contains(&at));
}

#[tokio::test]
async fn unreadable_row_becomes_a_dead_letter() {
    let world = TestResources::new().await;
    let table = MailboxTable::new(&world).await;
    let queue = world.queue().await;
    let dead_letters = SqsDeadLetters::new(&world.sqs, &queue.dead_letter_url);
    let mailbox = DynamoMailbox::new(&world.dynamodb, table.name(), RETRY, dead_letters);
    let alice = user("alice");
    mailbox.put(&alice, mailbox::rows(&alice, 1..=3)).await.unwrap();
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let damaged =
        world.dynamodb.update_item().table_name(table.name()).key(attributes::USER_ID, text("alice"));
    damaged
        .key(attributes::SEQUENCE, text(&Sequence::new(2).to_string()))
        .update_expression("SET #version = :version")
        .expression_attribute_names("#version", "version")
        .expression_attribute_values(":version", AttributeValue::N("99".to_owned()))
        .send()
        .await
        .unwrap();
    let query = PageQuery { after: None, up_to: Sequence::MAX, due_for: vec![connection("c")], limit: 10 };
    for _ in 0..2 {
        let page = mailbox.page(&alice, query.clone()).await.unwrap();
        let sequences: Vec<_> = page.rows.iter().map(|row| row.sequence).collect();
        assert_eq!(sequences, [Sequence::new(1), Sequence::new(3)]);
    }
    let [letter] = &queue.drain_dead_letters().await[..] else { panic!("one dead letter") };
    assert!(letter.body().unwrap().contains(&Sequence::new(2).to_string()));
    assert_eq!(table.stored(&alice).await.len(), 2);
}

#[tokio::test]
async fn mailbox_conforms() {
    let world = TestResources::new().await;
    let table = MailboxTable::new(&world).await;
    mailbox::all(&mailbox_in(&world, &table), "m").await;
}

const POLICY: HistoryPolicy = HistoryPolicy { lifetime: Duration::from_hours(1), payloads: true };

#[tokio::test]
async fn history_conforms() {
    let world = TestResources::new().await;
    let table = HistoryTable::new(&world).await;
    let adapter = DynamoHistory::new(&world.dynamodb, table.name(), POLICY, RETRY);
    history::all(&adapter, &table, SystemClock.now(), "h").await;
}

#[tokio::test]
async fn page_of_large_rows_is_read_in_parts() {
    let world = TestResources::new().await;
    let table = MailboxTable::new(&world).await;
    let mailbox = mailbox_in(&world, &table);
    let alice = user("alice");
    // Together they exceed the 1 MiB that one query reads.
    let large = Payload::from_value(&"x".repeat(120_000)).unwrap();
    let rows = (1..=24).map(|n| {
        let mut notification = notification(&alice, n);
        notification.payload = large.clone();
        let sequence = Sequence::new(n.into());
        MailboxRow { sequence, notification: Arc::new(notification), pushed_to: ConnectionSet::new() }
    });
    mailbox.put(&alice, rows.collect()).await.unwrap();
    let mut seen = Vec::new();
    loop {
        let query = PageQuery {
            after: seen.last().copied(),
            up_to: Sequence::MAX,
            due_for: vec![connection("c")],
            limit: 100,
        };
        let page = mailbox.page(&alice, query).await.unwrap();
        assert!(!page.more || !page.rows.is_empty());
        seen.extend(page.rows.iter().map(|row| row.sequence));
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, verification_conformance::sequences(1..=24));
    mailbox.delete(&alice, &seen).await.unwrap();
    assert!(table.stored(&alice).await.is_empty());
}

#[tokio::test]
async fn rows_are_paged_for_400_connections() {
    let world = TestResources::new().await;
    let table = MailboxTable::new(&world).await;
    let mailbox = mailbox_in(&world, &table);
    let alice = user("alice");
    let due_for: Vec<_> = (0..400).map(|n| connection(&format!("connection-{n}="))).collect();
    let mut rows = mailbox::rows(&alice, 1..=250);
    for row in &mut rows[..249] {
        row.pushed_to = due_for.iter().cloned().collect();
    }
    rows[3].pushed_to = due_for[1..].iter().cloned().collect();
    mailbox.put(&alice, rows).await.unwrap();
    let query = PageQuery { after: None, up_to: Sequence::MAX, due_for, limit: 1 };
    let page = mailbox.page(&alice, query.clone()).await.unwrap();
    assert_eq!(page.rows.iter().map(|row| row.sequence).collect::<Vec<_>>(), [Sequence::new(4)]);
    assert!(page.more);
    let rest = PageQuery { after: Some(Sequence::new(4)), ..query };
    let page = mailbox.page(&alice, rest).await.unwrap();
    assert_eq!(page.rows.iter().map(|row| row.sequence).collect::<Vec<_>>(), [Sequence::new(250)]);
    assert!(!page.more);
}

#[tokio::test]
async fn connections_conform() {
    let world = TestResources::new().await;
    let table = ConnectionsTable::new(&world).await;
    connections::all(&DynamoConnections::new(&world.dynamodb, table.name()), &table, "c").await;
}

#[tokio::test]
async fn hub_members_conform() {
    let world = TestResources::new().await;
    let table = HubsTable::new(&world).await;
    let members = DynamoHubMembers::new(&world.dynamodb, table.name());
    hub_members::all(&members, &table, "h").await;
    hub_members::many(&members, &table, "h", 30).await;
}

#[tokio::test]
async fn members_from_before_shards_are_read_in_order() {
    let world = TestResources::new().await;
    let table = HubsTable::new(&world).await;
    let members = DynamoHubMembers::new(&world.dynamodb, table.name());
    let team = HubName::new("team").unwrap();
    let users: Vec<_> = (0..40).map(|n| user(&format!("u{n:02}"))).collect();
    for (n, user) in users.iter().enumerate() {
        if n % 3 > 0 {
            table.join_unsharded(&team, user, "old").await;
        }
        if n % 3 < 2 {
            table.join(&team, user, "new").await;
        }
    }
    let first = members.page(&team, None, 25).await.unwrap();
    assert_eq!((&first.users[..], first.more), (&users[..25], true));
    let rest = members.page(&team, first.users.last(), 25).await.unwrap();
    assert_eq!((&rest.users[..], rest.more), (&users[25..], false));
}

#[tokio::test]
async fn broadcast_step_and_its_rest_are_queued() {
    let (_world, queue, adapter) = queue().await;
    let notifications: Vec<_> = (0..12).map(|n| notification(&user(&format!("u{n}")), 1)).collect();
    adapter.send(notifications.clone()).await.unwrap();
    // The queue ignores the repetition.
    adapter.send(notifications).await.unwrap();
    let rest = r#"{"version":1,"type":"fan-out","hub":"team","after":"u9","id":"n","payload":1,"sentAt":1,"whenOffline":"drop"}"#;
    let read = QueueEntry::from_json(rest, || panic!("it has an id"), Timestamp::default()).unwrap();
    let QueueEntry::FanOut(entry) = read else { panic!("no broadcast") };
    adapter.enqueue_rest(entry).await.unwrap();
    let bodies: Vec<_> = queue.drain().await.into_iter().filter_map(|message| message.body).collect();
    assert_eq!(bodies.len(), 13);
    assert!(bodies.iter().any(|body| body == rest));
}

async fn queue() -> (TestResources, TestQueue, SqsQueue) {
    let world = TestResources::new().await;
    let queue = world.queue().await;
    let adapter = SqsQueue::new(&world.sqs, &queue.url);
    (world, queue, adapter)
}

#[tokio::test]
async fn replay_queue_conforms() {
    let (_world, queue, adapter) = queue().await;
    replay_queue::all(&adapter, &mut queue.replays(), "q").await;
}

#[tokio::test]
async fn replay_carries_the_trace() {
    let (_world, queue, adapter) = queue().await;
    let replay = Replay { user_id: user("a"), sequence: Sequence::new(1) };
    let header = "Root=1-695585c0-3b9d1c2e4f5a6b7c8d9e0f1a;Sampled=1";
    trace::scope(Some(header.into()), adapter.enqueue(replay)).await.unwrap();
    let [message] = &queue.drain().await[..] else { panic!("one message") };
    let attributes = message.attributes().unwrap();
    let name = aws_sdk_sqs::types::MessageSystemAttributeName::AwsTraceHeader;
    assert_eq!(attributes.get(&name).map(String::as_str), Some(header));
}

#[tokio::test]
async fn dead_letter_is_sent_once_with_its_reason() {
    let (world, queue, _) = queue().await;
    let dead_letters = SqsDeadLetters::new(&world.sqs, &queue.dead_letter_url);
    let origin = EntryOrigin { deduplication_id: "order-1042", sent_at: Timestamp::from_millis(7) };
    let letter = DeadLetter {
        group: "alice",
        body: "nonsense",
        message_id: "m-1",
        reason: "not\u{7}\u{ffff} JSON",
        origin: Some(origin),
    };
    dead_letters.dead_letter(letter).await.unwrap();
    dead_letters.dead_letter(letter).await.unwrap();
    let [message] = &queue.drain_dead_letters().await[..] else { panic!("one message") };
    assert_eq!(message.body(), Some("nonsense"));
    let attribute = |name: &str| message.message_attributes().unwrap()[name].string_value().unwrap();
    assert_eq!(attribute(DEAD_LETTER_REASON), "not JSON");
    assert_eq!((attribute(DEAD_LETTER_ID), attribute(DEAD_LETTER_SENT_AT)), ("order-1042", "7"));
}

#[tokio::test]
async fn postponed_entries_are_received_again() {
    let (world, queue, adapter) = queue().await;
    let sqs = aws_sdk_sqs::Client::new(&world.sdk);
    for sequence in 1..=2 {
        let sequence = Sequence::new(sequence);
        adapter.enqueue(Replay { user_id: user("a"), sequence }).await.unwrap();
    }
    let receive = async || {
        let received = sqs.receive_message().queue_url(&queue.url).max_number_of_messages(10).send();
        received.await.unwrap().messages.unwrap_or_default()
    };
    let messages = receive().await;
    let receipts: Vec<_> = messages.iter().map(|message| message.receipt_handle().unwrap()).collect();
    assert_eq!(receipts.len(), 2);
    assert!(receive().await.is_empty(), "the entries are in flight");
    adapter.postpone(&receipts, Duration::ZERO).await.unwrap();
    let again: Vec<_> = receive().await.into_iter().map(|message| message.body).collect();
    assert_eq!(again, messages.into_iter().map(|message| message.body).collect::<Vec<_>>());
    let unknown = adapter.postpone(&["no-receipt"], Duration::ZERO).await;
    assert!(unknown.is_err());
}

#[tokio::test]
async fn stranger_is_forwarded_once_to_its_queue() {
    let world = TestResources::new().await;
    let [first, second] = world.two_queues().await;
    let urls = |one: &str, other: &str| Queues::parse(&format!("{one},{other}")).unwrap();
    let adapter = SqsQueue::new(&world.sqs, urls(&first.url, &second.url));
    assert!(adapter.is_home("bob") && !adapter.is_home("alice"));
    assert!(adapter.clone().with_source(1).is_home("alice"));
    for id in ["n-1", "n-1", "n-2"] {
        let body = format!(r#"{{"userId":"alice","payload":"{id}"}}"#);
        adapter.forward(ForwardedEntry { group: "alice", deduplication_id: id, body }).await.unwrap();
    }
    adapter.enqueue(Replay { user_id: user("bob"), sequence: Sequence::new(1) }).await.unwrap();
    adapter.send(vec![notification(&user("alice"), 3)]).await.unwrap();
    let forwarded = second.drain_ids().await;
    assert!(forwarded.iter().all(|(user, _)| user == "alice") && forwarded.len() == 3, "{forwarded:?}");
    assert_eq!([&*forwarded[0].1, &*forwarded[1].1], ["n-1", "n-2"]);
    let own = first.drain_ids().await;
    assert!(own.iter().all(|(user, _)| user == "bob") && own.len() == 1, "{own:?}");

    let letters = SqsDeadLetters::new(&world.sqs, urls(&first.dead_letter_url, &second.dead_letter_url));
    let letter = DeadLetter { group: "alice", body: "x", message_id: "m", reason: "r", origin: None };
    letters.dead_letter(letter).await.unwrap();
    assert_eq!((first.drain_dead_letters().await.len(), second.drain_dead_letters().await.len()), (0, 1));
}
