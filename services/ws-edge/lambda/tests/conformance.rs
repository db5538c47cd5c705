//! The adapters against the suites of the ports they implement, on an AWS endpoint.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use std::time::Duration;

use shared_conformance::{acknowledgements, edge_connections, edge_history};
use shared_ports::{Clock as _, SystemClock};
use shared_retry::RetryPolicy;
use shared_test_kit::{ConnectionsTable, HistoryTable, MailboxTable, World};
use ws_edge_lambda::{DynamoConnections, DynamoHistory, DynamoMailbox};

#[tokio::test]
async fn the_connections_conform() {
    let world = World::new().await;
    let table = ConnectionsTable::new(&world).await;
    edge_connections::all(&DynamoConnections::new(&world.sdk, table.name()), &table, "c").await;
}

#[tokio::test]
async fn acknowledgements_conform() {
    let world = World::new().await;
    let table = MailboxTable::new(&world).await;
    let retry = RetryPolicy { initial: Duration::from_millis(10), max: Duration::from_millis(100) };
    acknowledgements::all(&DynamoMailbox::new(&world.sdk, table.name(), retry), &table, "a").await;
}

#[tokio::test]
async fn the_history_conforms() {
    let world = World::new().await;
    let table = HistoryTable::new(&world).await;
    let lifetime = Duration::from_hours(1);
    let history = DynamoHistory::new(&world.sdk, table.name(), lifetime, SystemClock);
    edge_history::all(&history, &table, SystemClock.now(), "h").await;
}

/// Together more than the 1 MiB one query reads, and than a function may answer.
#[tokio::test]
async fn a_page_of_large_rows_is_read_in_parts() {
    use contract_history_v1::{MessageRow, PageRequest, What};
    use contract_notifications_v1::Sequence;
    use shared_conformance::fixture::HistoryRows as _;
    use shared_conformance::{notification, user};
    use ws_edge::ports::History as _;

    let world = World::new().await;
    let table = HistoryTable::new(&world).await;
    let (alice, now, hour) = (user("alice"), SystemClock.now(), Duration::from_hours(1));
    let row = |n: u64| {
        let mut row =
            MessageRow::new(&notification(&alice, n), Sequence::new(n.into()), What::Held, now, hour);
        row.payload = Some(format!("\"{}\"", "x".repeat(120_000)));
        row
    };
    let rows: Vec<_> = (0..24).map(row).collect();
    table.record(&alice, &rows).await;
    let history = DynamoHistory::new(&world.sdk, table.name(), hour, SystemClock);
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
