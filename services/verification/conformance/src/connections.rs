//! Suite of the Connections table for the dispatcher.

use contract_connections_v1::Connection;
use contract_notifications_v1::{Timestamp, UserId};
use dispatcher::ports::Connections;

use crate::fixture::ConnectionRows;
use crate::rows::{connection, connection_row, user};

/// Runs the suite.
pub async fn all<C: Connections, F: ConnectionRows>(connections: &C, fixture: &F, prefix: &str) {
    rows_are_listed(connections, fixture, prefix).await;
    forget_deletes_only_the_same_row(connections, fixture, prefix).await;
}

async fn list<C: Connections>(connections: &C, user: &UserId) -> Vec<Connection> {
    let mut rows = connections.list(user).await.unwrap();
    rows.sort_by(|a, b| a.connection_id.cmp(&b.connection_id));
    rows
}

async fn rows_are_listed<C: Connections, F: ConnectionRows>(connections: &C, fixture: &F, prefix: &str) {
    let [one, other] = ["one", "one-2"].map(|name| user(&format!("{prefix}-connections-{name}")));
    assert!(list(connections, &one).await.is_empty());
    let row = |user: &UserId, n: u64| {
        connection_row(user, &format!("{user}={n:04}"), Timestamp::from_millis(1_000_000_000_000 + n))
    };
    let rows: Vec<_> = (0..40).map(|n| row(&one, n)).collect();
    for row in &rows {
        fixture.insert(row).await;
    }
    fixture.insert(&row(&other, 7)).await;
    assert_eq!(list(connections, &one).await, rows);
    assert_eq!(list(connections, &other).await, [row(&other, 7)]);
}

async fn forget_deletes_only_the_same_row<C, F>(connections: &C, fixture: &F, prefix: &str)
where
    C: Connections,
    F: ConnectionRows,
{
    let user = user(&format!("{prefix}-connections-forgotten"));
    let at = Timestamp::from_millis;
    let id = format!("{user}=c");
    let row = connection_row(&user, &id, at(2_000));
    fixture.insert(&row).await;
    // An earlier connection with the same id, and an unknown connection, have no effect.
    connections.forget(&user, &connection(&id), at(1_999)).await.unwrap();
    connections.forget(&user, &connection("nobody"), at(2_000)).await.unwrap();
    assert_eq!(list(connections, &user).await, [row]);
    connections.forget(&user, &connection(&id), at(2_000)).await.unwrap();
    connections.forget(&user, &connection(&id), at(2_000)).await.unwrap();
    assert!(list(connections, &user).await.is_empty());
}
