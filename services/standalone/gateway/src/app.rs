//! The program: from its configuration to a server that runs until it is told to stop.
use std::future::Future;
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use contract_connections_v1::ConnectionKey;
use dispatcher::Dispatcher;
use replayer::{Replayer, ReplayerConfig};
use shared_ports::SystemClock;
use shared_retry::ThreadRandom;
use tidings_identity::credentials::{Credentials, CredentialsError};
use tidings_identity::shared_secrets::{LocalSecrets, SecretError};
use tidings_sockets::{Registry, run_sweeper};
use tidings_store::{LastKey, OpenError, Store, StoreError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::figures::{self, Figures, Sampler};
use crate::following::{Following, Recorded};
use crate::history::{self, StoredHistory};
use crate::hubs::{BroadcastSettings, Broadcasts, MemoryHubs, Outbox, PendingBroadcasts, run_broadcasts};
use crate::runtime::{Parts, Runtime, RuntimeConfig, RuntimeError, Watching};
use crate::server::{BindError, Metrics, Server, TlsError};
use crate::workers::{WorkerSettings, run_dispatcher, run_replayer};

/// How often the metrics put away what they hold in memory.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

type SystemStore = Store<SystemClock>;
type SystemHistory = StoredHistory<SystemClock>;
type SystemDispatcher = Dispatcher<SystemPorts>;

/// The ports of the services in this process.
enum SystemPorts {}

impl dispatcher::ports::Ports for SystemPorts {
    type Connections = Registry;
    type Mailbox = SystemStore;
    type Push = Registry;
    type Queue = SystemStore;
    type Clock = SystemClock;
    type Jitter = ThreadRandom;
    type History = Recorded<Option<SystemHistory>, SystemClock>;
}

impl replayer::ports::Ports for SystemPorts {
    type Mailbox = LastKey<SystemClock>;
    type Queue = SystemStore;
    type Clock = SystemClock;
    type Random = ThreadRandom;
}

/// The store's folder in the data directory.
pub const STORE: &str = "store";

/// Why the program can't start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The server's secrets.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The secrets that are shared with clients and issuers.
    #[error(transparent)]
    SharedSecret(#[from] SecretError),
    /// What is stored.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The store.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// What an earlier process left in the store.
    #[error("the store can't be read")]
    Read(#[from] StoreError),
    /// The TLS certificate or key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The address it listens on can't be found out.
    #[error("the address listened on is not known")]
    Address(#[source] std::io::Error),
}

/// A server that is ready to run: its store is open, and clients that connect wait for it.
pub struct App {
    server: Server<Runtime>,
    address: SocketAddr,
    tls: bool,
    registry: Registry,
    inserted: mpsc::UnboundedReceiver<ConnectionKey>,
    store: SystemStore,
    dispatcher: Arc<SystemDispatcher>,
    hubs: MemoryHubs,
    broadcasts: (Broadcasts<SystemClock>, PendingBroadcasts),
    workers: WorkerSettings,
    /// The history and what writes it, if there is to be one.
    history: Option<(SystemHistory, history::Writer<SystemClock>)>,
    watching: Watching,
    metrics: Option<Metrics>,
}

impl App {
    /// Opens the store, makes the server's secrets at the first start, and begins to listen. Must be called
    /// within a tokio runtime.
    ///
    /// `metrics` is what `/metrics` shows; without it that route says that nothing is recorded.
    ///
    /// # Errors
    /// [`BuildError`] saying what is in the way.
    pub fn build(config: &Config, metrics: Option<Metrics>) -> Result<Self, BuildError> {
        let clock = SystemClock;
        let authorizer = config.authorizer();
        for name in authorizer.secrets() {
            LocalSecrets::check(name)?;
        }
        let credentials = Credentials::load_or_create(&config.data_dir)?;
        let tls = config.server.tls().map(|files| files.load()).transpose()?;
        let secure = tls.is_some();
        let store = Store::open(&config.data_dir.join(STORE), config.store.settings(), clock)?;
        let (sender, inserted) = mpsc::unbounded_channel();
        let registry = Registry::new(sender, config.connections.limits());
        let connected = registry.clone();
        store.expect_delivery(move |user| connected.takes_pushes(user));
        let runtime_config = RuntimeConfig {
            edge: config.edge(),
            authorizer,
            issuer: config.tokens.issuer(),
            login: config.login.offer(),
        };
        let hubs = MemoryHubs::new(config.hubs.members());
        let broadcasts = Broadcasts::open(&store, BroadcastSettings::default())?;
        let outbox = Outbox { store: store.clone(), broadcasts: broadcasts.0.clone() };
        let history = config.history.policy().map(|policy| StoredHistory::new(&store, policy, clock));
        let kept = history.as_ref().map(|(history, _)| history.clone());
        let following = Following::new(clock);
        let watching =
            Watching { figures: metrics.as_ref().map(|_| Figures::default()), following: following.clone() };
        let parts = Parts {
            outbox,
            registry: registry.clone(),
            hubs: hubs.clone(),
            history: kept.clone(),
            watching: watching.clone(),
        };
        let runtime = Runtime::new(runtime_config, parts, credentials)?;
        let server =
            Server::bind(config.server(), tls, Arc::new(runtime), registry.clone(), metrics.clone())?;
        let dispatcher = Arc::new(SystemDispatcher {
            connections: registry.clone(),
            mailbox: store.clone(),
            push: registry.clone(),
            queue: store.clone(),
            clock,
            jitter: ThreadRandom,
            settings: config.dispatcher.settings(),
            history: Recorded { kept, following },
        });
        let workers =
            WorkerSettings { run_budget: config.dispatcher.run_budget.0, ..WorkerSettings::default() };
        let address = server.local_addr().map_err(BuildError::Address)?;
        Ok(Self {
            server,
            address,
            tls: secure,
            registry,
            inserted,
            store,
            dispatcher,
            hubs,
            broadcasts,
            workers,
            history,
            watching,
            metrics,
        })
    }

    /// Where the server is reached from this machine.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.address)
    }

    /// Runs until `shutdown` is complete; then finishes what is in flight and closes the store.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) {
        let Self {
            server,
            registry,
            inserted,
            store,
            dispatcher,
            hubs,
            broadcasts,
            workers,
            history,
            watching,
            metrics,
            ..
        } = self;
        let (stop, stopped) = watch::channel(());
        let replayer = Replayer::<SystemPorts>::new(
            LastKey(store.clone()),
            store.clone(),
            SystemClock,
            ReplayerConfig::default(),
        );
        let figures = watching.figures.zip(metrics.as_ref()).map(|(figures, metrics)| {
            let tally = Arc::clone(&metrics.tally);
            let sampler = Sampler::new(tally, store.clone(), registry.clone(), SystemClock);
            tokio::spawn(figures::run(sampler, figures, hubs.clone(), until(&stopped)))
        });
        let dispatchers = std::thread::available_parallelism().map_or(1, NonZero::get);
        let mut background: Vec<_> = (0..dispatchers)
            .map(|_| run_dispatcher(store.clone(), Arc::clone(&dispatcher), workers, until(&stopped)))
            .map(tokio::spawn)
            .collect();
        background.extend([
            tokio::spawn(run_replayer(inserted, Arc::new(replayer), SystemClock, workers, until(&stopped))),
            tokio::spawn(run_broadcasts(
                broadcasts.1,
                broadcasts.0,
                hubs,
                store.clone(),
                SystemClock,
                ThreadRandom,
                until(&stopped),
            )),
            tokio::spawn(run_sweeper(registry, SystemClock, until(&stopped))),
            tokio::spawn(keep_metrics(metrics, until(&stopped))),
        ]);
        let (stop_history, history_stopped) = watch::channel(());
        let history = history.map(|(kept, writer)| {
            [
                tokio::spawn(history::run_sweeper(kept, until(&stopped))),
                tokio::spawn(writer.run(until(&history_stopped))),
            ]
        });
        // Runs in flight need the sockets, and clients need answers: first the doors close, then the rest.
        server.run(shutdown).await;
        drop(stop);
        wait_for(background.into_iter().chain(figures)).await;
        // What the last runs record is written too.
        drop(stop_history);
        if let Some(history) = history {
            wait_for(history).await;
        }
        if tokio::task::spawn_blocking(move || store.close()).await.is_err() {
            tracing::error!("the store panicked while it was closed");
        }
    }
}

async fn wait_for(tasks: impl IntoIterator<Item = JoinHandle<()>>) {
    for task in tasks {
        if task.await.is_err() {
            tracing::error!("a background task panicked");
        }
    }
}

/// Completes when the sender of `stopped` is gone.
fn until(stopped: &watch::Receiver<()>) -> impl Future<Output = ()> + Send + use<> {
    let mut stopped = stopped.clone();
    async move { while stopped.changed().await.is_ok() {} }
}

async fn keep_metrics(metrics: Option<Metrics>, shutdown: impl Future<Output = ()> + Send) {
    let upkeep = async {
        loop {
            tokio::time::sleep(METRICS_UPKEEP).await;
            if let Some(metrics) = &metrics {
                metrics.exposition.run_upkeep();
            }
        }
    };
    tokio::select! {
        () = upkeep => {}
        () = shutdown => {}
    }
}
