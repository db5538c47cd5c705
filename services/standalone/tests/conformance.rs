//! The store against the suites of the ports it implements, and against its own promises.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]
#![allow(clippy::cast_precision_loss, reason = "measurements are printed in few digits")]

#[path = "conformance/broadcasts.rs"]
mod broadcasts;
#[path = "conformance/dead_letters.rs"]
mod dead_letters;
#[path = "conformance/disk_full.rs"]
mod disk_full;
#[path = "conformance/durable.rs"]
mod durable;
#[path = "conformance/end_to_end.rs"]
mod end_to_end;
#[path = "conformance/history.rs"]
mod history;
#[path = "conformance/model.rs"]
mod model;
#[path = "conformance/queue.rs"]
mod queue;
#[path = "conformance/replays.rs"]
mod replays;
#[path = "conformance/support.rs"]
mod support;

use std::time::Duration;

use contract_connections_v1::{Connection, ConnectionId, ConnectionKey};
use contract_notifications_v1::{HubName, Sequence, UserId};
use dispatcher::core::run::{Entry, Outcome};
use dispatcher::ports::{Connections as _, HubMembers as _, Mailbox as _};
use shared_ports::Clock as _;
use tidings::connections::{Limits, Registry};
use tidings::hubs::MemoryHubs;
use tidings::identity::cipher::LocalCipher;
use tidings::identity::key_sets::HttpKeySets;
use tidings::identity::secrets::Key256;
use tidings::identity::shared_secrets::LocalSecrets;
use tidings::identity::tokens::MemoryTokens;
use tidings::identity::used::LocalTokens;
use tidings::rates::MemoryRates;
use tidings::storage::Store;
use tokio::sync::mpsc;
use verification_conformance::fixture::{ConnectionRows, Deliveries, HubRows, MailboxRows};
use verification_conformance::{
    ManualClock, acknowledgements, connections, edge_connections, hub_members, hubs, key_sets, mailbox,
    mailbox_keys, replay_queue, replayer_queue, secrets, sequences, tokens,
};

/// The store's mailboxes.
struct Rows(support::TestStore);

impl MailboxRows for Rows {
    async fn hold(&self, user: &UserId, numbers: &[u64]) {
        let rows = mailbox::rows(user, numbers.iter().copied());
        self.0.put(user, rows).await.unwrap();
    }

    async fn delete(&self, user: &UserId, numbers: &[u64]) {
        dispatcher::ports::Mailbox::delete(&self.0, user, &sequences(numbers.iter().copied())).await.unwrap();
    }

    async fn held(&self, user: &UserId) -> Vec<Sequence> {
        let held = support::mailbox(&self.0, user).await;
        sequences(held)
    }
}

#[tokio::test]
async fn the_mailbox_conforms() {
    let (_dir, store, _) = support::store();
    mailbox::all(&store, "m").await;
    mailbox_keys::all(&store, &Rows(store.clone()), "m").await;
    acknowledgements::all(&store, &Rows(store.clone()), "m").await;
}

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
        let mut rows = self.0.list(user).await.unwrap();
        rows.sort_by(|a, b| a.connection_id.cmp(&b.connection_id));
        rows
    }
}

#[tokio::test]
async fn the_connections_conform() {
    let (inserted, _records) = mpsc::unbounded_channel();
    let registry = Registry::new(inserted, Limits::default());
    connections::all(&registry, &Registered(registry.clone()), "c").await;
    edge_connections::all(&registry, &Registered(registry.clone()), "c").await;
}

/// The hubs in memory.
struct Joined(MemoryHubs);

impl HubRows for Joined {
    async fn join(&self, hub: &HubName, user: &UserId, connection: &str) {
        ws_edge::ports::Hubs::join(&self.0, &[hubs::member(hub, user, connection)]).await.unwrap();
    }

    async fn users(&self, hub: &HubName) -> Vec<UserId> {
        self.0.page(hub, None, usize::MAX).await.unwrap().users
    }
}

#[tokio::test]
async fn the_hubs_conform() {
    let memory = MemoryHubs::default();
    hubs::all(&memory, &Joined(memory.clone()), "h").await;
    hubs::pages(&memory, "h", ManualClock::default().now(), false).await;
    hub_members::all(&memory, &Joined(memory.clone()), "h").await;
    hub_members::many(&memory, &Joined(memory.clone()), "h", 100).await;
    hubs::rates(&MemoryRates::default(), "h", ManualClock::default().now()).await;
}

#[tokio::test]
async fn a_member_by_decision_is_there_without_a_connection() {
    let team = HubName::new("team").unwrap();
    let al = UserId::new("al").unwrap();
    let memory = MemoryHubs::new([(team.clone(), al.clone())]);
    let row = hubs::member(&team, &al, "c");
    ws_edge::ports::Hubs::join(&memory, std::slice::from_ref(&row)).await.unwrap();
    ws_edge::ports::Hubs::leave(&memory, &[row]).await.unwrap();
    assert_eq!(Joined(memory).users(&team).await, [al]);
}

#[tokio::test]
async fn the_tokens_conform() {
    let clock = ManualClock::default();
    let memory = MemoryTokens::new(100, clock.clone());
    tokens::store(&memory, clock.now().ttl_seconds(), "t").await;
    tokens::claims(&memory, clock.now().ttl_seconds(), "t").await;
    let (_dir, store, _) = support::store();
    let local = LocalTokens::open(memory, store.table("used"), clock.clone()).unwrap();
    tokens::store(&local, clock.now().ttl_seconds(), "l").await;
    tokens::claims(&local, clock.now().ttl_seconds(), "l").await;
    let cipher = LocalCipher::new(&Key256::from_bytes([7; 32]));
    tokens::cipher(&cipher).await;
    tokens::cipher_is_authenticated(&cipher).await;
}

#[tokio::test]
async fn the_key_sets_conform() {
    key_sets::all(&HttpKeySets::default()).await;
    key_sets::gives_up(&HttpKeySets::with_timeout(Duration::from_millis(50))).await;
}

#[tokio::test]
async fn the_secrets_conform() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    let rotate = async |value: &str| {
        let former = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(&path, format!("{value}\n{former}")).unwrap();
    };
    secrets::all(&LocalSecrets, path.to_str().unwrap(), "/nowhere/secret", rotate).await;
}

/// Takes replay entries off the store's queue.
struct Queue(Store<ManualClock>, ManualClock);

impl Deliveries for Queue {
    async fn take(&mut self, user: &UserId) -> Vec<Sequence> {
        // Runs of others that were dropped are visible again.
        self.1.advance(Duration::from_mins(10));
        let (mut taken, mut others) = (Vec::new(), Vec::new());
        while let Some(received) = self.0.try_receive() {
            if received.user() != user {
                others.push(received);
                continue;
            }
            for entry in received.entries() {
                let Entry::Replay(bound) = entry else { panic!("a notification in the queue") };
                taken.push(*bound);
            }
            let outcomes = vec![Outcome::Done; received.entries().len()];
            self.0.settle(received, &outcomes);
        }
        taken
    }
}

#[tokio::test]
async fn the_replay_queue_conforms() {
    let (_dir, store, clock) = support::store();
    let mut queue = Queue(store.clone(), clock);
    replay_queue::all(&store, &mut queue, "q").await;
    replayer_queue::all(&store, &mut queue, "q").await;
}
