//! The adapters against the suites of the ports they implement, on an AWS endpoint.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use std::time::Duration;

use shared_conformance::{acknowledgements, edge_connections};
use shared_retry::RetryPolicy;
use shared_test_kit::{ConnectionsTable, MailboxTable, World};
use ws_edge_lambda::{DynamoConnections, DynamoMailbox};

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
