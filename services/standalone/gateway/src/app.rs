//! The whole server: from its configuration to a clean shutdown.
//!
//! [`App::build`] opens the store and listens; [`App::run`] starts the background tasks, serves, and shuts down in
//! order: first the HTTP surface, because runs in flight need the sockets and clients need answers; then the
//! background tasks; then the writer of the history, which writes what the last runs recorded; then the store.

use std::future::Future;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use contract_connections_v1::ConnectionKey;
use dispatcher::Dispatcher;
use replayer::{Replayer, ReplayerConfig};
use shared_ports::{Clock as _, SystemClock};
use shared_retry::ThreadRandom;
use tidings_identity::credentials::{Credentials, CredentialsError};
use tidings_identity::shared_secrets::{LocalSecrets, SecretError};
use tidings_sockets::{Registry, run_sweeper};
use tidings_store::{LastKey, OpenError, Store, StoreError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::live_metrics::{self, LiveMetrics, Sampler};
use crate::runtime::{self, Parts, RuntimeConfig, RuntimeError, RuntimePorts, ServerKeys, Watching};
use crate::server::{
    BindError, KeyRing as _, Metrics, ReloadRequest, Server, Settings, TlsError, TlsKeys, TlsReloader,
};
use crate::tracking::{TrackedHistory, Tracking};
use crate::workers::{WorkerSettings, run_dispatcher, run_replayer};
use tidings_history::StoredHistory;
use tidings_hubs::{
    BroadcastSettings, Broadcasts, LocalMessageQueue, MemoryHubs, PendingBroadcasts, run_broadcasts,
};

/// Interval at which the metrics fold their samples into histograms.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// Interval at which the times of the keys' last uses are stored.
const KEY_USES_UPKEEP: Duration = Duration::from_mins(1);

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
    type History = TrackedHistory<Option<SystemHistory>, SystemClock>;
}

impl replayer::ports::Ports for SystemPorts {
    type Mailbox = LastKey<SystemClock>;
    type Queue = SystemStore;
    type Clock = SystemClock;
    type Random = ThreadRandom;
}

/// The store's folder in the data directory.
pub const STORE: &str = "store";

/// Reasons for which the server can't start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The server's own secrets can't be read or made.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// A secret that is shared with clients or issuers can't be read.
    #[error(transparent)]
    SharedSecret(#[from] SecretError),
    /// Tokens signed with a secret are easy to forge.
    #[error("the secret {name} of an issuer in handshake.jwt_issuers is too short")]
    ShortSecret {
        /// The secret's name.
        name: String,
        /// Its length.
        #[source]
        source: auth_token::ShortSecret,
    },
    /// The adapters can't be made.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The store can't be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The broadcasts in the store can't be read.
    #[error("the store can't be read")]
    Read(#[from] StoreError),
    /// A file stands where the data directory should be.
    #[error("the key \"data_dir\" is not valid: {} can't be a directory, because {} is a file", data_dir.display(), file.display())]
    NotADirectory {
        /// The data directory.
        data_dir: PathBuf,
        /// The file: the data directory itself, or a directory above it.
        file: PathBuf,
    },
    /// The TLS certificate or key can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address can't be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system does not report the address.
    #[error("the system does not report the address listened on")]
    Address(#[source] std::io::Error),
}

/// A server that is ready to run. Its store is open, and clients that connect wait.
pub struct App {
    server: Server<RuntimePorts>,
    address: SocketAddr,
    tls: Option<TlsReloader>,
    reload: ReloadRequest,
    registry: Registry,
    inserted: mpsc::UnboundedReceiver<ConnectionKey>,
    store: SystemStore,
    dispatcher: Arc<SystemDispatcher>,
    hubs: MemoryHubs,
    broadcasts: (Broadcasts<SystemClock>, PendingBroadcasts),
    workers: WorkerSettings,
    /// The history and its writer, if one is kept.
    history: Option<(SystemHistory, tidings_history::Writer<SystemClock>)>,
    watching: Watching,
    keys: ServerKeys,
    metrics: Option<Metrics>,
}

/// Checks the files that the configuration names, without a change: secrets, the certificate and its key, and the data
/// directory, which the first start creates. Returns certificate and key, if there are any.
///
/// # Errors
/// [`BuildError`] with the file.
pub fn check_files(config: &Config) -> Result<Option<TlsKeys>, BuildError> {
    let authorizer = config.authorizer();
    for name in authorizer.issuers_secrets() {
        LocalSecrets::check(name)?
            .require_long()
            .map_err(|source| BuildError::ShortSecret { name: name.to_owned(), source })?;
    }
    if let Some(name) = authorizer.handshake_secret() {
        LocalSecrets::check(name)?;
    }
    let existing = config.data_dir.ancestors().find(|path| path.exists());
    if let Some(path) = existing.filter(|path| !path.is_dir()) {
        return Err(BuildError::NotADirectory { data_dir: config.data_dir.clone(), file: path.to_owned() });
    }
    Ok(config.server.tls().map(|files| files.load()).transpose()?)
}

impl App {
    /// Opens the store, makes the server's secrets at the first start, and begins to listen. Must be called within a
    /// tokio runtime.
    ///
    /// Without `metrics`, the routes of metrics answer 503.
    ///
    /// # Errors
    /// [`BuildError`] with the part that failed.
    pub fn build(config: &Config, metrics: Option<Metrics>) -> Result<Self, BuildError> {
        for warning in &config.deprecated {
            tracing::warn!("{warning}");
        }
        let clock = SystemClock;
        let authorizer = config.authorizer();
        let tls = check_files(config)?;
        if let Some(name) = authorizer.handshake_secret()
            && let Err(error) = LocalSecrets::check(name)?.require_long()
        {
            tracing::warn!(%error, "the secret in handshake.hmac_secret can be guessed from a signed handshake");
        }
        let credentials = Credentials::load_or_create(&config.data_dir)?;
        let reload = ReloadRequest::default();
        let reloader = config.server.tls().zip(tls.clone()).map(|(files, keys)| {
            if let Some(key) = files.key_open_to_others() {
                tracing::warn!(key = %key.display(), "other users can read the TLS key; set its mode to 0600");
            }
            TlsReloader { files, keys, requests: reload.clone() }
        });
        let store = Store::open(&config.data_dir.join(STORE), config.store.settings(), clock)?;
        let (sender, inserted) = mpsc::unbounded_channel();
        let registry = Registry::new(sender, config.connections.limits());
        // The first connection is measured from this moment, even if it comes before the sweeper's task runs.
        registry.sweep(clock.now(), clock.moment());
        let connected = registry.clone();
        store.expect_delivery(move |user| connected.takes_pushes(user));
        let runtime_config = RuntimeConfig {
            edge: config.edge(),
            authorizer,
            issuer: config.tokens.issuer(),
            login: config.login.offer(),
            logins: config.login.limits(),
            max_unused_tokens: config.tokens.max_unused,
            keys: config.keys.limits(),
        };
        let hubs = MemoryHubs::new(config.hubs.members());
        let broadcasts = Broadcasts::open(&store, BroadcastSettings::default(), SystemClock)?;
        let message_queue = LocalMessageQueue { store: store.clone(), broadcasts: broadcasts.0.clone() };
        let of_client = config.history.payload_bytes_per_client.0;
        let history =
            config.history.policy().map(|policy| StoredHistory::new(&store, policy, of_client, clock));
        let stored = history.as_ref().map(|(history, _)| history.clone());
        let tracking = Tracking::new(clock);
        let live_metrics = metrics.as_ref().map(|_| LiveMetrics::default());
        let watching = Watching { live_metrics, tracking: tracking.clone() };
        let parts = Parts {
            message_queue,
            registry: registry.clone(),
            hubs: hubs.clone(),
            history: stored.clone(),
            watching: watching.clone(),
        };
        let adapters = runtime::adapters(runtime_config, parts, credentials)?;
        let keys = adapters.keys.clone();
        let settings = Settings { open_files: open_files(), ..config.server() };
        let server = Server::bind(settings, tls, adapters, registry.clone(), metrics.clone())?;
        let dispatcher = Arc::new(SystemDispatcher {
            connections: registry.clone(),
            mailbox: store.clone(),
            push: registry.clone(),
            queue: store.clone(),
            clock,
            jitter: ThreadRandom,
            settings: dispatcher::Settings {
                raw_without_sender: config.client_messages.raw_without_sender,
                ..config.dispatcher.settings()
            },
            history: TrackedHistory { stored, tracking },
        });
        let workers =
            WorkerSettings { run_budget: config.dispatcher.run_budget.0, ..WorkerSettings::default() };
        let address = server.local_addr().map_err(BuildError::Address)?;
        Ok(Self {
            server,
            address,
            tls: reloader,
            reload,
            registry,
            inserted,
            store,
            dispatcher,
            hubs,
            broadcasts,
            workers,
            history,
            watching,
            keys,
            metrics,
        })
    }

    /// Returns the URL of the server on this machine.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls.is_some() { "https" } else { "http" }, self.address)
    }

    /// Returns the address that metrics are served on, if it is one of their own.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.server.metrics_addr()
    }

    /// Returns the means to ask the server to read its certificate and key again.
    pub fn reload_request(&self) -> ReloadRequest {
        self.reload.clone()
    }

    /// Runs until `shutdown` completes. Then it finishes the work in flight and closes the store.
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
            keys,
            metrics,
            tls,
            ..
        } = self;
        let (stop, stopped) = watch::channel(());
        let replayer = Replayer::<SystemPorts>::new(
            LastKey(store.clone()),
            store.clone(),
            SystemClock,
            ReplayerConfig::default(),
        );
        let sampler = watching.live_metrics.zip(metrics.as_ref()).map(|(live_metrics, metrics)| {
            let tally = Arc::clone(&metrics.tally);
            let sampler = Sampler::new(tally, store.clone(), registry.clone(), SystemClock);
            tokio::spawn(live_metrics::run(sampler, live_metrics, hubs.clone(), until(&stopped)))
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
            tokio::spawn(keep_key_uses(keys, until(&stopped))),
        ]);
        background.extend(tls.map(|reloader| tokio::spawn(reloader.run(until(&stopped)))));
        let (stop_history, history_stopped) = watch::channel(());
        let history = history.map(|(stored, writer)| {
            [
                tokio::spawn(tidings_history::run_sweeper(stored, until(&stopped))),
                tokio::spawn(writer.run(until(&history_stopped))),
            ]
        });
        server.run(shutdown).await;
        drop(stop);
        wait_for(background.into_iter().chain(sampler)).await;
        drop(stop_history);
        if let Some(history) = history {
            wait_for(history).await;
        }
        if tokio::task::spawn_blocking(move || store.close()).await.is_err() {
            tracing::error!("the store panicked while it was closed");
        }
    }
}

/// Waits until all tasks have ended.
async fn wait_for(tasks: impl IntoIterator<Item = JoinHandle<()>>) {
    for task in tasks {
        if task.await.is_err() {
            tracing::error!("a background task panicked");
        }
    }
}

/// Completes when the sender of `stopped` is dropped.
fn until(stopped: &watch::Receiver<()>) -> impl Future<Output = ()> + Send + use<> {
    let mut stopped = stopped.clone();
    async move { while stopped.changed().await.is_ok() {} }
}

/// Stores the times at which keys were last used, at intervals and when `shutdown` completes.
async fn keep_key_uses(keys: ServerKeys, shutdown: impl Future<Output = ()> + Send) {
    let store = async || {
        if let Err(error) = keys.store_uses().await {
            tracing::warn!(
                error = shared_telemetry::chain(&error),
                "the last uses of keys could not be stored"
            );
        }
    };
    let upkeep = async {
        loop {
            tokio::time::sleep(KEY_USES_UPKEEP).await;
            store().await;
        }
    };
    tokio::select! {
        () = upkeep => {}
        () = shutdown => store().await,
    }
}

/// Does the upkeep of the metrics until `shutdown` completes.
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

/// Returns the number of files that the process may have open; `None` for no limit.
fn open_files() -> Option<usize> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current?;
    usize::try_from(limit).ok()
}
