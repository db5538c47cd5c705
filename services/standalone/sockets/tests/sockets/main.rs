//! The registry against the conformance suites of the ports it implements, and over sockets in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod control_frames;
mod receipts;
mod registry;

use contract_connections_v1::{Connection, ConnectionId, ConnectionKey};
use contract_notifications_v1::UserId;
use tidings_sockets::{Confirm, Limits, Registry};
use tokio::sync::mpsc;
use verification_conformance::fixture::ConnectionRows;
use verification_conformance::{connections, edge_connections};

/// The registry's rows.
struct Registered(Registry);

impl ConnectionRows for Registered {
    async fn insert(&self, row: &Connection) {
        ws_edge::ports::Connections::put(&self.0, row).await.unwrap();
    }

    async fn delete(&self, user: &UserId, connection: &ConnectionId) {
        let key = ConnectionKey { user_id: user.clone(), connection_id: connection.clone() };
        ws_edge::ports::Connections::delete(&self.0, &key).await.unwrap();
    }

    async fn rows(&self, user: &UserId) -> Vec<Connection> {
        let mut rows = ws_edge::ports::Connections::list(&self.0, user).await.unwrap();
        rows.sort_by(|a, b| a.connection_id.cmp(&b.connection_id));
        rows
    }
}

#[tokio::test]
async fn registry_conforms() {
    let (inserted, _records) = mpsc::unbounded_channel();
    // With pongs as receipts, the dispatcher's rows differ from those inserted: all acknowledge (`receipts.rs`).
    let registry = Registry::new(inserted, Limits { confirm: Confirm::Written, ..Limits::default() });
    connections::all(&registry, &Registered(registry.clone()), "c").await;
    edge_connections::all(&registry, &Registered(registry.clone()), "c").await;
}
