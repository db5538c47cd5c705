//! The history against the conformance suites of both its ports.
#![cfg(test)]

use std::time::Duration;

use contract_history_v1::{MessageRow, PageRequest};
use contract_notifications_v1::UserId;
use dispatcher::ports::{History as _, HistoryPolicy};
use shared_ports::Clock as _;
use tidings_history::StoredHistory;
use tidings_store::{StorageSettings, Store};
use verification_conformance::fixture::HistoryRows;
use verification_conformance::{ManualClock, edge_history, history};
use ws_edge::ports::History as _;

/// The history, through the port that the tested one is the counterpart of.
struct Rows(StoredHistory<ManualClock>);

impl HistoryRows for Rows {
    async fn record(&self, user: &UserId, rows: &[MessageRow]) {
        self.0.record(user, rows.to_vec()).await;
    }

    async fn recorded(&self, user: &UserId) -> Vec<MessageRow> {
        let page = PageRequest { before: None, limit: 1_000 };
        self.0.messages(user, &page).await.unwrap().rows
    }
}

#[tokio::test]
async fn history_conforms() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::default());
    let settings = StorageSettings { reserve_bytes: 0, ..StorageSettings::default() };
    let store = Store::open(dir.path(), settings, clock.clone()).unwrap();
    let policy = HistoryPolicy { lifetime: Duration::from_hours(1), payloads: true };
    let (stored, writer) = StoredHistory::new(&store, policy, None, clock.clone());
    tokio::spawn(writer.run(std::future::pending()));
    let rows = Rows(stored.clone());
    history::all(&stored, &rows, clock.now(), "h").await;
    edge_history::all(&stored, &rows, clock.now(), "h").await;
}
