//! The server's process: the real services, wired like the program does it, with faulty ports.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contract_connections_v1::ConnectionId;
use contract_identity_v1::{AuthenticationMethod, Principal};
use contract_notifications_v1::{Sequence, UserId, Version1};
use dispatcher::Dispatcher;
use dispatcher::core::run::{Entry, Outcome};
use dispatcher::ports::NoHistory;
use replayer::{Replayer, ReplayerConfig};
use shared_ports::Clock as _;
use tidings_gateway::workers::{WorkerSettings, run_dispatcher, run_replayer};
use tidings_sockets::{ClientMessage, Confirm, Registry, Session, run_sweeper};
use tidings_store::{CommitSteps, LastKey, Lease, OpenError, Store};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use ws_edge::{DeliveryOnly, Edge, EdgeConfig, Inbound, MessageRequest};

use crate::fault_injection::Faulty;
use crate::history::DROPPED_RUN;
use crate::mutant::Mutant;
use crate::simulation::{SimulatedClock, SimulatedRandomness, Simulation, connection_index, user_index};
use crate::trace::{EventKind, FaultKind};
use crate::vanishing::vanishing;

type SimulatedStore = Store<SimulatedClock>;
type SimulatedEdge = Edge<DeliveryOnly<Faulty<Registry>, Faulty<SimulatedStore>, SimulatedClock>>;
type SimulatedDispatcher = Dispatcher<SimulatedPorts>;

/// The ports of the services: the real adapters with faults.
enum SimulatedPorts {}

impl dispatcher::ports::Ports for SimulatedPorts {
    type Connections = Faulty<Registry>;
    type Mailbox = Faulty<SimulatedStore>;
    type Push = Faulty<Registry>;
    type Queue = Faulty<SimulatedStore>;
    type Clock = SimulatedClock;
    type Jitter = SimulatedRandomness;
    type History = NoHistory;
}

impl replayer::ports::Ports for SimulatedPorts {
    type Mailbox = Faulty<LastKey<SimulatedClock>>;
    type Queue = Faulty<SimulatedStore>;
    type Clock = SimulatedClock;
    type Random = SimulatedRandomness;
}

/// The parts of a process that clients and producers reach.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) store: SimulatedStore,
    pub(crate) registry: Registry,
    pub(crate) edge: Arc<SimulatedEdge>,
    is_stopping: Arc<AtomicBool>,
}

impl Process {
    /// True while clients and producers can reach the process.
    pub(crate) fn is_listening(&self) -> bool {
        !self.is_stopping.load(Ordering::Relaxed)
    }
}

/// A process with its workers. Dropping its runtime crashes it.
pub(crate) struct RunningProcess {
    pub(crate) process: Process,
    stop_workers: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
    committer: JoinHandle<()>,
    stop_committer: watch::Sender<bool>,
}

/// Starts a process on a data directory.
pub(crate) fn start(sim: &Arc<Simulation>, directory: &Path) -> Result<RunningProcess, OpenError> {
    let clock = SimulatedClock(Arc::clone(sim));
    let jitter = SimulatedRandomness(Arc::clone(sim));
    let (store, steps) = Store::open_stepped(directory, sim.plan.storage.clone(), clock.clone())?;
    let (sender, inserted) = mpsc::unbounded_channel();
    let mut limits = sim.plan.limits;
    if sim.has_mutant(Mutant::WrittenCounts) {
        limits.confirm = Confirm::Written;
    }
    let registry = Registry::new(sender, limits);
    let connected = registry.clone();
    store.expect_delivery(move |user| connected.takes_pushes(user));
    let edge = Edge::new(
        Faulty::new(registry.clone(), sim),
        Faulty::new(store.clone(), sim),
        clock.clone(),
        EdgeConfig::default(),
    );
    let dispatcher = Arc::new(SimulatedDispatcher {
        connections: Faulty::new(registry.clone(), sim),
        mailbox: Faulty::new(store.clone(), sim),
        push: Faulty::new(registry.clone(), sim),
        queue: Faulty::new(store.clone(), sim),
        clock: clock.clone(),
        jitter: jitter.clone(),
        settings: sim.plan.dispatcher,
        history: NoHistory,
    });
    let replayer = Arc::new(Replayer::<SimulatedPorts>::with_random_source(
        Faulty::new(LastKey(store.clone()), sim),
        Faulty::new(store.clone(), sim),
        clock.clone(),
        jitter,
        ReplayerConfig::default(),
    ));
    let (stop_workers, workers_stopped) = watch::channel(false);
    let (stop_committer, committer_stopped) = watch::channel(false);
    let settings = WorkerSettings::default();
    let runs = match sim.mutant {
        Some(mutant @ (Mutant::TwoRuns | Mutant::OneRunAtATime | Mutant::CompletesFailures)) => {
            tokio::spawn(run_mutant_dispatcher(store.clone(), dispatcher, settings.run_budget, mutant))
        }
        _ if sim.plan.vanishing_callers > 0 || sim.has_mutant(Mutant::DroppedRunCompletes) => {
            let budget = settings.run_budget;
            tokio::spawn(run_vanishing_dispatcher(Arc::clone(sim), store.clone(), dispatcher, budget))
        }
        _ => tokio::spawn(run_dispatcher(store.clone(), dispatcher, settings, until(&workers_stopped))),
    };
    let sweeper = run_sweeper(registry.clone(), clock.clone(), until(&workers_stopped));
    let mut workers = vec![runs, tokio::spawn(sweeper)];
    if !sim.has_mutant(Mutant::NoReplay) {
        let stopped = until(&workers_stopped);
        workers.push(tokio::spawn(run_replayer(inserted, replayer, clock, settings, stopped)));
    }
    let committer = tokio::spawn(commit(Arc::clone(sim), store.clone(), steps, until(&committer_stopped)));
    let process = Process { store, registry, edge: Arc::new(edge), is_stopping: Arc::default() };
    sim.log(None, EventKind::Started);
    Ok(RunningProcess { process, stop_workers, workers, committer, stop_committer })
}

impl RunningProcess {
    /// Ends the process as SIGTERM does: first it stops listening, then its workers and its committer end.
    pub(crate) async fn stop(self) {
        let Self { process, stop_workers, workers, committer, stop_committer } = self;
        process.is_stopping.store(true, Ordering::Relaxed);
        process.registry.close_all().await;
        stop_workers.send_replace(true);
        for worker in workers {
            // A mutant's dispatcher does not end by itself.
            if tokio::time::timeout(Duration::from_mins(1), worker).await.is_err() {
                break;
            }
        }
        stop_committer.send_replace(true);
        // The checks find the effects of a committer that panicked.
        let _ = committer.await;
    }
}

fn until(stopped: &watch::Receiver<bool>) -> impl Future<Output = ()> + Send + use<> {
    let mut stopped = stopped.clone();
    async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }
}

/// Stands in for the committer's thread: makes one commit after the other, on a disk that may be slow.
async fn commit(
    sim: Arc<Simulation>,
    store: SimulatedStore,
    mut steps: CommitSteps<SimulatedClock>,
    stopped: impl Future<Output = ()> + Send,
) {
    let mut stopped = std::pin::pin!(stopped);
    loop {
        tokio::select! {
            biased;
            () = &mut stopped => break,
            () = steps.wait() => {}
        }
        let is_slow = !sim.faults_stopped() && sim.random.chance(sim.plan.slow_commits);
        let slow = if is_slow { sim.random.between(50, 3_000) } else { 0 };
        tokio::time::sleep(Duration::from_millis(slow)).await;
        sim.log(None, EventKind::Committed { slow });
        steps.step();
    }
    store.close();
    steps.finish();
}

/// Runs the dispatcher of a mutant in place of [`run_dispatcher`].
async fn run_mutant_dispatcher(
    store: SimulatedStore,
    dispatcher: Arc<SimulatedDispatcher>,
    budget: Duration,
    mutant: Mutant,
) {
    loop {
        let lease = store.receive().await;
        let run = mutant_run(Arc::clone(&dispatcher), lease, budget, mutant);
        if mutant == Mutant::OneRunAtATime {
            run.await;
        } else {
            tokio::spawn(run);
        }
    }
}

/// Runs the dispatcher with runs that may be dropped at any await, in place of [`run_dispatcher`].
async fn run_vanishing_dispatcher(
    sim: Arc<Simulation>,
    store: SimulatedStore,
    dispatcher: Arc<SimulatedDispatcher>,
    budget: Duration,
) {
    loop {
        let mut lease = store.receive().await;
        let (sim, dispatcher) = (Arc::clone(&sim), Arc::clone(&dispatcher));
        tokio::spawn(async move {
            let deadline = dispatcher.clock.now().plus(budget);
            let entries = lease.take_entries();
            let (user, count) = (user_index(lease.user()), entries.len());
            let run = dispatcher.dispatch(lease.user(), entries, deadline);
            if let Some(report) = vanishing(&sim, user, run).await {
                lease.complete(&report.outcomes);
                return;
            }
            sim.log(Some(user), EventKind::Fault { port: DROPPED_RUN, kind: FaultKind::Partly });
            if sim.has_mutant(Mutant::DroppedRunCompletes) {
                lease.complete(&vec![Outcome::Done; count]);
            }
        });
    }
}

async fn mutant_run(
    dispatcher: Arc<SimulatedDispatcher>,
    mut lease: Lease<SimulatedClock>,
    budget: Duration,
    mutant: Mutant,
) {
    let deadline = dispatcher.clock.now().plus(budget);
    let mut entries = lease.take_entries();
    let count = entries.len();
    let rest: Vec<Entry<_>> =
        if mutant == Mutant::TwoRuns { entries.split_off(count / 2) } else { Vec::new() };
    let user = lease.user();
    let dispatch = |entries: Vec<_>| async {
        if entries.is_empty() {
            Vec::new()
        } else {
            dispatcher.dispatch(user, entries, deadline).await.outcomes
        }
    };
    let (first, second) = tokio::join!(biased; dispatch(entries), dispatch(rest));
    let outcomes = match mutant {
        Mutant::CompletesFailures => vec![Outcome::Done; count],
        _ => [first, second].concat(),
    };
    lease.complete(&outcomes);
}

/// Answers a connection's frames as the server does.
pub(crate) struct FrameHandler {
    pub(crate) sim: Arc<Simulation>,
    pub(crate) process: Process,
    pub(crate) principal: Arc<Principal>,
    pub(crate) id: ConnectionId,
}

impl Session for FrameHandler {
    fn message(&self, message: ClientMessage) -> Pin<Box<dyn Future<Output = Option<String>> + Send>> {
        let (sim, process) = (Arc::clone(&self.sim), self.process.clone());
        let (principal, id) = (Arc::clone(&self.principal), self.id.clone());
        Box::pin(async move {
            let frame = match &message {
                ClientMessage::Text(text) => Inbound::Text(text.as_str()),
                ClientMessage::Binary => Inbound::Binary,
            };
            let request = MessageRequest { connection_id: &id, request_id: "r", frame, guest_of: None };
            let answering = process.edge.message(&principal, request);
            let answer = vanishing(&sim, user_index(&principal.user_id), answering).await.flatten();
            answer.map(|frame| frame.to_json())
        })
    }

    fn confirmed(&self, sequences: &[Sequence]) {
        let user = &self.principal.user_id;
        let connection = connection_index(&self.id);
        let numbers = sequences.iter().map(|sequence| u64::try_from(sequence.number()).unwrap_or(u64::MAX));
        let confirmed = EventKind::Confirmed { connection, sequences: numbers.collect() };
        self.sim.log(Some(user_index(user)), confirmed);
        if !self.sim.has_mutant(Mutant::LosesReceipt) {
            self.process.store.confirm(user, sequences);
        }
    }
}

/// The principal of a user's devices.
pub(crate) fn principal(user_id: UserId) -> Principal {
    Principal {
        version: Version1,
        user_id,
        username: None,
        method: AuthenticationMethod::Open,
        hubs: Vec::new(),
        expires_at: None,
        source_key: None,
        source_token: None,
    }
}
