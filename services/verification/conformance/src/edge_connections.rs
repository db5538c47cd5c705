//! The Connections table, as the edge uses it.

use contract_connections_v1::{ConnectionKey, FrameFormat};
use contract_notifications_v1::Timestamp;
use ws_edge::ports::Connections;

use crate::fixture::ConnectionRows;
use crate::{connection_row, user};

/// All that the table must do for the edge.
pub async fn all<C: Connections, F: ConnectionRows>(connections: &C, fixture: &F, prefix: &str) {
    let user = user(&format!("{prefix}-edge-connections"));
    let row = |id: &str, at| connection_row(&user, &format!("{user}={id}"), Timestamp::from_millis(at));
    let (first, mut second) = (row("a", 1_000), row("b", 2_000));
    (second.acknowledges, second.format, second.expires_at) = (false, FrameFormat::Raw, None);
    connections.put(&first).await.unwrap();
    connections.put(&second).await.unwrap();
    assert_eq!(fixture.rows(&user).await, [first.clone(), second.clone()]);
    // The same id again is another connection.
    let again = row("a", 3_000);
    connections.put(&again).await.unwrap();
    assert_eq!(fixture.rows(&user).await, [again, second.clone()]);
    let mut listed = connections.list(&user).await.unwrap();
    listed.sort_unstable_by(|a, b| a.connection_id.as_str().cmp(b.connection_id.as_str()));
    assert_eq!(listed, fixture.rows(&user).await);
    connections.delete(&ConnectionKey::from(&first)).await.unwrap();
    connections.delete(&ConnectionKey::from(&first)).await.unwrap();
    assert_eq!(fixture.rows(&user).await, [second.clone()]);
    // Whether or not its socket is still there.
    connections.close(&ConnectionKey::from(&second)).await.unwrap();
    connections.close(&ConnectionKey::from(&second)).await.unwrap();
    assert_eq!(fixture.rows(&user).await, []);
}
