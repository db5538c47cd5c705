//! Runs each adapter against the conformance suite of its port, on the AWS endpoint of `AWS_ENDPOINT_URL`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use std::time::Duration;

use contract_notifications_v1::{FanOut, HubName, NotificationId, Payload, QueueEntry, WhenOffline};
use shared_aws::{Queues, Value as _, management_client};
use shared_ports::{Clock as _, SystemClock};
use shared_retry::RetryPolicy;
use verification_conformance::{acknowledgements, edge_connections, edge_history, hubs, notification, user};
use verification_test_kit::{
    ConnectionsTable, HistoryTable, HubsTable, MailboxTable, RatesTable, TestResources, endpoint,
};
use ws_edge::ports::{Hubs as _, MessageQueue as _};
use ws_edge_lambda::{
    DynamoConnections, DynamoHistory, DynamoHubs, DynamoMailbox, DynamoRateLimits, SqsMessageQueue,
};

#[tokio::test]
async fn connections_conform() {
    let world = TestResources::new().await;
    let table = ConnectionsTable::new(&world).await;
    // This API has no connections: closing any of them finds it gone.
    let endpoint = format!("{}/_aws/execute-api/none/none", endpoint());
    let management = management_client(&world.sdk, &endpoint);
    let connections = DynamoConnections::new(&world.dynamodb, table.name(), management);
    edge_connections::all(&connections, &table, "c").await;
}

const RETRY: RetryPolicy =
    RetryPolicy { initial: Duration::from_millis(10), max: Duration::from_millis(100) };

#[tokio::test]
async fn hubs_conform() {
    let world = TestResources::new().await;
    let table = HubsTable::new(&world).await;
    let adapter = DynamoHubs::new(&world.dynamodb, table.name(), RETRY);
    hubs::all(&adapter, &table, "h").await;
    hubs::pages(&adapter, "h", SystemClock.now(), true).await;
}

#[tokio::test]
async fn rows_from_before_shards_are_found_and_deleted() {
    let world = TestResources::new().await;
    let table = HubsTable::new(&world).await;
    let adapter = DynamoHubs::new(&world.dynamodb, table.name(), RETRY);
    let (team, now) = (HubName::new("team").unwrap(), SystemClock.now());
    let users: Vec<_> = (0..40).map(|n| user(&format!("u{n:02}"))).collect();
    // Every second user has a connection of before, and every third a new one.
    let (mut expected, mut left) = (Vec::new(), Vec::new());
    for (n, user) in users.iter().enumerate() {
        if n % 2 == 0 {
            table.join_unsharded(&team, user, "old").await;
        }
        if n % 3 == 0 {
            adapter.join(&[hubs::member(&team, user, "new")]).await.unwrap();
        }
        if n % 2 == 0 || n % 3 == 0 {
            assert!(adapter.has(&team, user).await.unwrap());
            expected.push(user.clone());
        } else {
            assert!(!adapter.has(&team, user).await.unwrap());
        }
        left.push(hubs::member(&team, user, "old"));
    }
    let page = adapter.members(&team, None, 100, now).await.unwrap();
    assert_eq!(page.members.into_iter().map(|member| member.user_id).collect::<Vec<_>>(), expected);
    adapter.leave(&left).await.unwrap();
    let rows = table.members(&team).await;
    assert!(rows.len() == 14 && rows.iter().all(|row| row.connection_id.as_ref().unwrap().as_str() == "new"));
}

#[tokio::test]
async fn rate_limits_conform() {
    let world = TestResources::new().await;
    let table = RatesTable::new(&world).await;
    hubs::rates(&DynamoRateLimits::new(&world.dynamodb, table.name()), "r", SystemClock.now()).await;
}

#[tokio::test]
async fn messages_go_to_the_queues_of_their_users() {
    let world = TestResources::new().await;
    let [first, second] = world.two_queues().await;
    let queues = Queues::parse(&format!("{},{}", first.url, second.url)).unwrap();
    let adapter = SqsMessageQueue::new(&world.sqs, &queues);
    let messages = ["alice", "bob"].map(|name| notification(&user(name), 1)).to_vec();
    assert!(adapter.send(messages).await.iter().all(Result::is_ok));
    let users = |ids: Vec<(String, String)>| ids.into_iter().map(|(user, _)| user).collect::<Vec<_>>();
    assert_eq!(users(first.drain_ids().await), ["bob"]);
    assert_eq!(users(second.drain_ids().await), ["alice"]);
}

#[tokio::test]
async fn messages_and_broadcasts_are_queued_once() {
    let world = TestResources::new().await;
    let queue = world.queue().await;
    let message_queue = SqsMessageQueue::new(&world.sqs, &queue.url);
    // More notifications than fit into one batch.
    let notifications: Vec<_> = (0..12).map(|n| notification(&user(&format!("u{n}")), 1)).collect();
    for _ in 0..2 {
        let sent = message_queue.send(notifications.clone()).await;
        assert!(sent.len() == 12 && sent.iter().all(Result::is_ok), "{sent:?}");
    }
    let broadcast = FanOut {
        hub: HubName::new("team").unwrap(),
        after: None,
        except: None,
        id: NotificationId::new("hello").unwrap(),
        payload: Payload::from_value(&1).unwrap(),
        sent_at: SystemClock.now(),
        expires_at: None,
        when_offline: WhenOffline::Drop,
        kind: None,
        source: None,
    };
    for _ in 0..2 {
        message_queue.broadcast(broadcast.clone()).await.unwrap();
    }
    let mut bodies: Vec<_> =
        queue.drain().await.into_iter().map(|message| message.body.unwrap_or_default()).collect();
    let mut expected: Vec<_> =
        notifications.into_iter().map(|n| QueueEntry::Notification(n).to_json()).collect();
    expected.push(QueueEntry::FanOut(broadcast).to_json());
    bodies.sort_unstable();
    expected.sort_unstable();
    assert_eq!(bodies, expected);
}

#[tokio::test]
async fn acknowledgements_conform() {
    let world = TestResources::new().await;
    let table = MailboxTable::new(&world).await;
    acknowledgements::all(&DynamoMailbox::new(&world.dynamodb, table.name(), RETRY), &table, "a").await;
}

#[tokio::test]
async fn history_conforms() {
    let world = TestResources::new().await;
    let table = HistoryTable::new(&world).await;
    let lifetime = Duration::from_hours(1);
    let history = DynamoHistory::new(&world.dynamodb, table.name(), lifetime, SystemClock);
    edge_history::all(&history, &table, SystemClock.now(), "h").await;
}

/// The rows exceed the 1 MiB that one query reads, and the size of a function's answer.
#[tokio::test]
async fn page_of_large_rows_is_read_in_parts() {
    use contract_history_v1::{HistoryOutcome, MessageRow, PageRequest};
    use contract_notifications_v1::Sequence;
    use verification_conformance::fixture::HistoryRows as _;
    use verification_conformance::{notification, user};
    use ws_edge::ports::History as _;

    let world = TestResources::new().await;
    let table = HistoryTable::new(&world).await;
    let (alice, now, hour) = (user("alice"), SystemClock.now(), Duration::from_hours(1));
    let row = |n: u64| {
        let mut row = MessageRow::new(
            &notification(&alice, n),
            Sequence::new(n.into()),
            HistoryOutcome::Held,
            now,
            hour,
        );
        row.payload = Some(format!("\"{}\"", "x".repeat(120_000)));
        row
    };
    let rows: Vec<_> = (0..24).map(row).collect();
    table.record(&alice, &rows).await;
    let history = DynamoHistory::new(&world.dynamodb, table.name(), hour, SystemClock);
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = history.messages(&alice, &PageRequest { before, limit: 100 }).await.unwrap();
        assert!(!page.rows.is_empty() && page.rows.len() < 12, "{}", page.rows.len());
        before = page.rows.last().map(|row| row.entry);
        seen.extend(page.rows);
        if !page.more {
            break;
        }
    }
    assert!(seen.iter().eq(rows.iter().rev()));
}
