//! The server's process: the real services, put together as the program does it, over the world's ports.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contract_connections_v1::ConnectionId;
use contract_identity_v1::{AuthenticationMethod, Principal};
use contract_notifications_v1::{UserId, Version1};
use dispatcher::Dispatcher;
use dispatcher::core::run::{Entry, Outcome};
use dispatcher::ports::NoHistory;
use replayer::{Replayer, ReplayerConfig};
use shared_ports::Clock as _;
use tidings_gateway::workers::{WorkerSettings, run_dispatcher, run_replayer};
use tidings_sockets::{ClientMessage, Registry, Session, run_sweeper};
use tidings_store::{CommitSteps, LastKey, Lease, OpenError, Store};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use ws_edge::{DeliveryOnly, Edge, EdgeConfig, Inbound, MessageRequest};

use crate::faulty::Faulty;
use crate::mutant::Mutant;
use crate::trace::What;
use crate::world::{World, WorldClock, WorldRandomness};

type WorldStore = Store<WorldClock>;

/// The edge over ports that fail as the seed decides.
type WorldEdge = Edge<DeliveryOnly<Faulty<Registry>, Faulty<WorldStore>, WorldClock>>;
type WorldDispatcher = Dispatcher<WorldPorts>;

/// The ports of the services: the real adapters with faults.
enum WorldPorts {}

impl dispatcher::ports::Ports for WorldPorts {
    type Connections = Faulty<Registry>;
    type Mailbox = Faulty<WorldStore>;
    type Push = Faulty<Registry>;
    type Queue = Faulty<WorldStore>;
    type Clock = WorldClock;
    type Jitter = WorldRandomness;
    type History = NoHistory;
}

impl replayer::ports::Ports for WorldPorts {
    type Mailbox = Faulty<LastKey<WorldClock>>;
    type Queue = Faulty<WorldStore>;
    type Clock = WorldClock;
    type Random = WorldRandomness;
}

/// What the clients and the producers of a process reach.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) store: WorldStore,
    pub(crate) registry: Registry,
    pub(crate) edge: Arc<WorldEdge>,
    /// Whether it listens no more.
    closed: Arc<AtomicBool>,
}

impl Process {
    /// Whether clients and producers reach it.
    pub(crate) fn listens(&self) -> bool {
        !self.closed.load(Ordering::Relaxed)
    }
}

/// A process that runs.
pub(crate) struct Running {
    pub(crate) process: Process,
    stop: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
    committer: JoinHandle<()>,
    close: watch::Sender<bool>,
}

/// Starts a process on a directory.
pub(crate) fn start(world: &Arc<World>, directory: &Path) -> Result<Running, OpenError> {
    let clock = WorldClock(Arc::clone(world));
    let jitter = WorldRandomness(Arc::clone(world));
    let (store, steps) = Store::open_stepped(directory, world.plan.storage.clone(), clock.clone())?;
    let (sender, inserted) = mpsc::unbounded_channel();
    let registry = Registry::new(sender, world.plan.limits);
    let connected = registry.clone();
    store.expect_delivery(move |user| connected.takes_pushes(user));
    let edge = Edge::new(
        Faulty::new(registry.clone(), world),
        Faulty::new(store.clone(), world),
        clock.clone(),
        EdgeConfig::default(),
    );
    let dispatcher = Arc::new(WorldDispatcher {
        connections: Faulty::new(registry.clone(), world),
        mailbox: Faulty::new(store.clone(), world),
        push: Faulty::new(registry.clone(), world),
        queue: Faulty::new(store.clone(), world),
        clock: clock.clone(),
        jitter: jitter.clone(),
        settings: world.plan.dispatcher,
        history: NoHistory,
    });
    let replayer = Arc::new(Replayer::<WorldPorts>::with_random_source(
        Faulty::new(LastKey(store.clone()), world),
        Faulty::new(store.clone(), world),
        clock.clone(),
        jitter,
        ReplayerConfig::default(),
    ));
    let (stop, stopped) = watch::channel(false);
    let (close, closed) = watch::channel(false);
    let settings = WorkerSettings::default();
    let runs = match world.mutant {
        Some(mutant @ (Mutant::TwoRuns | Mutant::OneRunAtATime | Mutant::SettlesFailures)) => {
            tokio::spawn(run_broken(store.clone(), dispatcher, settings.run_budget, mutant))
        }
        _ => tokio::spawn(run_dispatcher(store.clone(), dispatcher, settings, until(&stopped))),
    };
    let mut workers = vec![runs, tokio::spawn(run_sweeper(registry.clone(), clock.clone(), until(&stopped)))];
    if !world.has(Mutant::NoReplay) {
        workers.push(tokio::spawn(run_replayer(inserted, replayer, clock, settings, until(&stopped))));
    }
    let committer = tokio::spawn(commit(Arc::clone(world), store.clone(), steps, until(&closed)));
    let process = Process { store, registry, edge: Arc::new(edge), closed: Arc::default() };
    world.log(None, What::Started);
    Ok(Running { process, stop, workers, committer, close })
}

impl Running {
    /// Ends the process as SIGTERM does: first the doors close, then the rest.
    pub(crate) async fn stop(self) {
        let Self { process, stop, workers, committer, close } = self;
        process.closed.store(true, Ordering::Relaxed);
        process.registry.close_all().await;
        stop.send_replace(true);
        for worker in workers {
            // One that a mutant has in place of the real one does not end by itself.
            if tokio::time::timeout(Duration::from_mins(1), worker).await.is_err() {
                break;
            }
        }
        close.send_replace(true);
        // A committer that panicked leaves what is found later.
        let _ = committer.await;
    }
}

fn until(stopped: &watch::Receiver<bool>) -> impl Future<Output = ()> + Send + use<> {
    let mut stopped = stopped.clone();
    async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }
}

/// The committer's thread: one commit after the other, on a disk that may be slow.
async fn commit(
    world: Arc<World>,
    store: WorldStore,
    mut steps: CommitSteps<WorldClock>,
    closed: impl Future<Output = ()> + Send,
) {
    let mut closed = std::pin::pin!(closed);
    loop {
        tokio::select! {
            biased;
            () = &mut closed => break,
            () = steps.wait() => {}
        }
        let is_slow = !world.is_calm() && world.dice.hits(world.plan.slow_disk);
        let slow = if is_slow { world.dice.between(50, 3_000) } else { 0 };
        tokio::time::sleep(Duration::from_millis(slow)).await;
        world.log(None, What::Committed { slow });
        steps.step();
    }
    store.close();
    steps.finish();
}

/// What a mutant has in place of [`run_dispatcher`].
async fn run_broken(store: WorldStore, dispatcher: Arc<WorldDispatcher>, budget: Duration, mutant: Mutant) {
    loop {
        let received = store.receive().await;
        let run = broken_run(Arc::clone(&dispatcher), received, budget, mutant);
        if mutant == Mutant::OneRunAtATime {
            run.await;
        } else {
            tokio::spawn(run);
        }
    }
}

async fn broken_run(
    dispatcher: Arc<WorldDispatcher>,
    mut received: Lease<WorldClock>,
    budget: Duration,
    mutant: Mutant,
) {
    let deadline = dispatcher.clock.now().plus(budget);
    let mut entries = received.take_entries();
    let count = entries.len();
    let rest: Vec<Entry<_>> =
        if mutant == Mutant::TwoRuns { entries.split_off(count / 2) } else { Vec::new() };
    let user = received.user();
    let dispatch = |entries: Vec<_>| async {
        if entries.is_empty() {
            Vec::new()
        } else {
            dispatcher.dispatch(user, entries, deadline).await.outcomes
        }
    };
    let (first, second) = tokio::join!(biased; dispatch(entries), dispatch(rest));
    let outcomes = match mutant {
        Mutant::SettlesFailures => vec![Outcome::Done; count],
        _ => [first, second].concat(),
    };
    received.complete(&outcomes);
}

/// Answers a connection's frames, as the server does.
pub(crate) struct Frames {
    pub(crate) process: Process,
    pub(crate) principal: Arc<Principal>,
    pub(crate) id: ConnectionId,
}

impl Session for Frames {
    fn message(&self, message: ClientMessage) -> Pin<Box<dyn Future<Output = Option<String>> + Send>> {
        let (process, principal, id) = (self.process.clone(), Arc::clone(&self.principal), self.id.clone());
        Box::pin(async move {
            let frame = match &message {
                ClientMessage::Text(text) => Inbound::Text(text.as_str()),
                ClientMessage::Binary => Inbound::Binary,
            };
            let request = MessageRequest { connection_id: &id, request_id: "r", frame };
            process.edge.message(&principal, request).await.map(|frame| frame.to_json())
        })
    }
}

/// Who a device proves to be.
pub(crate) fn principal(user_id: UserId) -> Principal {
    Principal {
        version: Version1,
        user_id,
        username: None,
        method: AuthenticationMethod::Open,
        hubs: Vec::new(),
        expires_at: None,
    }
}
