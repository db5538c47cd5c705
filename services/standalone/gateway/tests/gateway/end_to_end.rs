//! The store under the real dispatcher and replayer, driven by the workers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use contract_connections_v1::{Connection, ConnectionId, ConnectionKey, FrameFormat};
use contract_notifications_v1::{Sequence, Timestamp, UserId, Version1};
use dispatcher::Dispatcher;
use dispatcher::ports::{Connections, Mailbox as _, NoHistory, PageQuery, Push, PushFrame, Pushed};
use replayer::{Replayer, ReplayerConfig};
use shared_ports::{PortError, SystemClock};
use shared_retry::ThreadRandom;
use tidings_gateway::workers::{WorkerSettings, run_dispatcher, run_replayer};
use tidings_store::{LastKey, StorageSettings, Store};
use tokio::sync::{mpsc, oneshot};
use verification_conformance::{connection, user};

use crate::store_support::submissions;

/// A user to whom a push panics.
const PANICS: &str = "panics";

/// Connections, and the frames pushed to each.
#[derive(Clone, Default)]
struct World {
    rows: Arc<Mutex<HashMap<UserId, Connection>>>,
    pushed: Arc<Mutex<HashMap<UserId, Vec<Bytes>>>>,
}

impl Connections for World {
    async fn list(&self, user: &UserId) -> Result<Vec<Connection>, PortError> {
        Ok(self.rows.lock().unwrap().get(user).cloned().into_iter().collect())
    }

    async fn forget(&self, _: &UserId, _: &ConnectionId, _: Timestamp) -> Result<(), PortError> {
        Ok(())
    }
}

impl Push for World {
    async fn push(&self, user: &UserId, _: &ConnectionId, frames: Vec<PushFrame>) -> Pushed {
        assert_ne!(user.as_str(), PANICS, "as it is meant to");
        let accepted = frames.len();
        self.pushed
            .lock()
            .unwrap()
            .entry(user.clone())
            .or_default()
            .extend(frames.into_iter().map(|frame| frame.text));
        Pushed { accepted, error: None }
    }
}

impl World {
    fn connect(&self, user: &UserId, format: FrameFormat) -> ConnectionKey {
        let row = Connection {
            version: Version1,
            user_id: user.clone(),
            connection_id: connection("c"),
            connected_at: Timestamp::from_millis(0),
            acknowledges: false,
            format,
            expires_at: None,
            ttl: 0,
        };
        let key = ConnectionKey::from(&row);
        self.rows.lock().unwrap().insert(user.clone(), row);
        key
    }

    fn payloads(&self, user: &UserId) -> Vec<u64> {
        let pushed = self.pushed.lock().unwrap();
        let frames = pushed.get(user).map(Vec::as_slice).unwrap_or_default();
        frames.iter().map(|frame| std::str::from_utf8(frame).unwrap().parse().unwrap()).collect()
    }
}

enum WorldPorts {}

impl dispatcher::ports::Ports for WorldPorts {
    type Connections = World;
    type Mailbox = Store<SystemClock>;
    type Push = World;
    type Queue = Store<SystemClock>;
    type Clock = SystemClock;
    type Jitter = ThreadRandom;
    type History = NoHistory;
}

impl replayer::ports::Ports for WorldPorts {
    type Mailbox = LastKey<SystemClock>;
    type Queue = Store<SystemClock>;
    type Clock = SystemClock;
    type Random = ThreadRandom;
}

/// A store with its workers.
struct Running {
    store: Store<SystemClock>,
    world: World,
    inserted: mpsc::UnboundedSender<ConnectionKey>,
    stop: [oneshot::Sender<()>; 2],
    workers: [tokio::task::JoinHandle<()>; 2],
    _dir: tempfile::TempDir,
}

fn start(settings: StorageSettings) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), settings, SystemClock).unwrap();
    let world = World::default();
    let dispatcher = Arc::new(Dispatcher::<WorldPorts> {
        connections: world.clone(),
        mailbox: store.clone(),
        push: world.clone(),
        queue: store.clone(),
        clock: SystemClock,
        jitter: ThreadRandom,
        settings: dispatcher::Settings::default(),
        history: NoHistory,
    });
    let replayer = Replayer::<WorldPorts>::new(
        LastKey(store.clone()),
        store.clone(),
        SystemClock,
        ReplayerConfig::default(),
    );
    let (inserted, records) = mpsc::unbounded_channel();
    let (stop_one, one) = oneshot::channel::<()>();
    let (stop_other, other) = oneshot::channel::<()>();
    let settings = WorkerSettings::default();
    let dispatching = {
        let store = store.clone();
        tokio::spawn(
            async move { run_dispatcher(store, dispatcher, settings, async { _ = one.await }).await },
        )
    };
    let replaying = tokio::spawn(async move {
        run_replayer(records, Arc::new(replayer), SystemClock, settings, async { _ = other.await }).await;
    });
    let workers = [dispatching, replaying];
    Running { store, world, inserted, stop: [stop_one, stop_other], workers, _dir: dir }
}

impl Running {
    /// Waits until there is nothing to dispatch.
    async fn quiet(&self) {
        loop {
            self.store.flush().await.unwrap();
            let stats = self.store.stats();
            if stats.ready_users == 0 && stats.leases_in_flight == 0 && stats.queued_bytes == 0 {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn stop(self) {
        drop(self.stop);
        for worker in self.workers {
            worker.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn held_replayed_and_live_ones_are_in_order() {
    let running = start(crate::store_support::settings());
    let a = user("a");
    running.store.accept(submissions(&a, 0..1_500)).await.unwrap();
    running.quiet().await;
    assert_eq!(running.store.stats().users_in_memory, 0, "memory has nothing of users who are offline");
    running.inserted.send(running.world.connect(&a, FrameFormat::Raw)).unwrap();
    running.store.accept(submissions(&a, 1_500..1_600)).await.unwrap();
    running.store.accept(submissions(&a, 1_600..1_700)).await.unwrap();
    let start = Instant::now();
    while running.world.payloads(&a).len() < 1_700 {
        assert!(start.elapsed() < Duration::from_secs(30), "{}", running.world.payloads(&a).len());
        tokio::task::yield_now().await;
    }
    running.quiet().await;
    assert_eq!(running.world.payloads(&a), (0..1_700).collect::<Vec<_>>());
    let due_for = vec![connection("c")];
    let query = PageQuery { after: None, up_to: Sequence::MAX, due_for, limit: 10 };
    assert_eq!(running.store.page(&a, query).await.unwrap().rows, []);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_that_panics_stops_nobody_else() {
    let running = start(crate::store_support::settings());
    let (a, panics) = (user("a"), user(PANICS));
    for user in [&a, &panics] {
        running.world.connect(user, FrameFormat::Raw);
    }
    running.store.accept(submissions(&panics, 0..1)).await.unwrap();
    running.store.accept(submissions(&a, 0..10)).await.unwrap();
    let start = Instant::now();
    while running.world.payloads(&a).len() < 10 {
        assert!(start.elapsed() < Duration::from_secs(30), "dispatching has stopped");
        tokio::task::yield_now().await;
    }
    assert!(running.store.stats().queued_bytes > 0, "the notification that panicked is kept");
    running.stop().await;
}
