//! Suite of the Connections table for the edge.

use contract_connections_v1::{ConnectionKey, FrameFormat};
use contract_notifications_v1::Timestamp;
use ws_edge::ports::Connections;

use crate::fixture::ConnectionRows;
use crate::rows::{connection_row, user};

/// Runs the suite.
pub async fn all<C: Connections, F: ConnectionRows>(connections: &C, fixture: &F, prefix: &str) {
    let user = user(&format!("{prefix}-edge-connections"));
    let row = |id: &str, at| connection_row(&user, &format!("{user}={id}"), Timestamp::from_millis(at));
    let (first, mut second) = (row("a", 1_000), row("b", 2_000));
    (second.acknowledges, second.format, second.expires_at) = (false, FrameFormat::Raw, None);
    connections.put(&first).await.unwrap();
    connections.put(&second).await.unwrap();
    assert_eq!(fixture.rows(&user).await, [first.clone(), second.clone()]);
    // A row with the same id replaces the earlier connection.
    let again = row("a", 3_000);
    connections.put(&again).await.unwrap();
    assert_eq!(fixture.rows(&user).await, [again, second.clone()]);
    let mut listed = connections.list(&user).await.unwrap();
    listed.sort_unstable_by(|a, b| a.connection_id.as_str().cmp(b.connection_id.as_str()));
    assert_eq!(listed, fixture.rows(&user).await);
    connections.delete(&ConnectionKey::from(&first)).await.unwrap();
    connections.delete(&ConnectionKey::from(&first)).await.unwrap();
    assert_eq!(fixture.rows(&user).await, [second.clone()]);
    // Closing works with and without an open socket.
    connections.close(&ConnectionKey::from(&second)).await.unwrap();
    connections.close(&ConnectionKey::from(&second)).await.unwrap();
    assert_eq!(fixture.rows(&user).await, []);
}
