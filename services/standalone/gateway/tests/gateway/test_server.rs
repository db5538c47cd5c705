//! The HTTP surface over the real runtime and a store in a temporary directory, and a client that sends bytes as they
//! are.
//!
//! No dispatcher runs, so accepted notifications stay in the queue. A test that needs a failure replaces one port
//! ([`start_replacing`]).

use std::fmt::Write as _;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use contract_connections_v1::ConnectionKey;
use contract_notifications_v1::{Notification, UserId};
use dispatcher::core::run::{Entry, Outcome};
use dispatcher::ports::Connections as _;
use ring::hmac;
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest as _, Sha256};
use shared_ports::{Clock as _, SystemClock};
use tempfile::TempDir;
use tidings_gateway::config::Config;
use tidings_gateway::live_metrics::LiveMetrics;
use tidings_gateway::runtime::{self, Parts, RuntimeConfig, RuntimePorts, Watching};
use tidings_gateway::server::{
    Acceptance, Adapters, ClientEdge, HistoryReader, Inspection, PROBLEMS, Ports, Readiness, Server,
    Settings, TlsFiles, TlsKeys,
};
use tidings_gateway::tracking::Tracking;
use tidings_hubs::{BroadcastSettings, Broadcasts, LocalMessageQueue, MemoryHubs, PendingBroadcasts};
use tidings_identity::credentials::Credentials;
use tidings_sockets::{Limits, Registry, run_sweeper};
use tidings_store::{StorageSettings, Store};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::store_support;

pub(crate) type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

type RealAcceptance = <RuntimePorts as Ports>::Acceptance;
type RealEdge = <RuntimePorts as Ports>::ClientEdge;
type RealHistory = <RuntimePorts as Ports>::History;
type RealInspection = <RuntimePorts as Ports>::Inspection;
type RealReadiness = <RuntimePorts as Ports>::Readiness;

/// The runtime's ports, with those named replaced.
pub(crate) struct Replaced<
    A = RealAcceptance,
    E = RealEdge,
    H = RealHistory,
    I = RealInspection,
    R = RealReadiness,
>(PhantomData<(A, E, H, I, R)>);

impl<A: Acceptance, E: ClientEdge, H: HistoryReader, I: Inspection, R: Readiness> Ports
    for Replaced<A, E, H, I, R>
{
    type Acceptance = A;
    type Callers = <RuntimePorts as Ports>::Callers;
    type Keys = <RuntimePorts as Ports>::Keys;
    type Revocations = <RuntimePorts as Ports>::Revocations;
    type ClientEdge = E;
    type Tokens = <RuntimePorts as Ports>::Tokens;
    type Accounts = <RuntimePorts as Ports>::Accounts;
    type DeadLetters = <RuntimePorts as Ports>::DeadLetters;
    type History = H;
    type LiveMetrics = <RuntimePorts as Ports>::LiveMetrics;
    type Inspection = I;
    type Readiness = R;
    type Clock = SystemClock;
}

/// Replaces ports of the runtime. Each function gets the real adapter; [`std::convert::identity`] keeps it.
pub(crate) fn replace<A: Acceptance, E: ClientEdge, H: HistoryReader, I: Inspection, R: Readiness>(
    real: Adapters<RuntimePorts>,
    acceptance: impl FnOnce(RealAcceptance) -> A,
    client_edge: impl FnOnce(RealEdge) -> E,
    history: impl FnOnce(RealHistory) -> H,
    inspection: impl FnOnce(RealInspection) -> I,
    readiness: impl FnOnce(RealReadiness) -> R,
) -> Adapters<Replaced<A, E, H, I, R>> {
    Adapters {
        acceptance: acceptance(real.acceptance),
        callers: real.callers,
        keys: real.keys,
        revocations: real.revocations,
        client_edge: client_edge(real.client_edge),
        tokens: real.tokens,
        accounts: real.accounts,
        dead_letters: real.dead_letters,
        history: history(real.history),
        live_metrics: real.live_metrics,
        inspection: inspection(real.inspection),
        readiness: readiness(real.readiness),
        clock: real.clock,
    }
}

pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    /// The address of the listener for metrics, if there is one.
    pub(crate) metrics_address: Option<SocketAddr>,
    /// The API key.
    pub(crate) key: String,
    pub(crate) credentials: Credentials,
    pub(crate) store: Store<SystemClock>,
    pub(crate) registry: Registry,
    pub(crate) inserted: UnboundedReceiver<ConnectionKey>,
    _directory: TempDir,
    _broadcasts: PendingBroadcasts,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

pub(crate) fn start() -> TestServer {
    start_with(Settings::default(), Limits::default(), None)
}

pub(crate) fn start_with(settings: Settings, limits: Limits, tls: Option<TlsKeys>) -> TestServer {
    build(settings, limits, tls, Some(LiveMetrics::default()), |real, _| real)
}

/// Starts a server with TLS, and returns a connector that trusts its certificate, which is for `localhost`.
pub(crate) fn start_with_tls() -> (TestServer, TlsConnector) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let files =
        TlsFiles { certificate: directory.path().join("cert.pem"), key: directory.path().join("key.pem") };
    std::fs::write(&files.certificate, certified.cert.pem()).unwrap();
    std::fs::write(&files.key, certified.signing_key.serialize_pem()).unwrap();
    let server = start_with(Settings::default(), Limits::default(), Some(files.load().unwrap()));
    (server, tls_connector(&certified))
}

/// Makes a connector that trusts a certificate.
pub(crate) fn tls_connector(certified: &rcgen::CertifiedKey<rcgen::KeyPair>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(certified.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// Starts a server that records no metrics.
pub(crate) fn start_without_metrics() -> TestServer {
    build(Settings::default(), Limits::default(), None, None, |real, _| real)
}

/// Starts a server with replaced ports.
pub(crate) fn start_replacing<P: Ports>(
    replace: impl FnOnce(Adapters<RuntimePorts>, &Registry) -> Adapters<P>,
) -> TestServer {
    build(Settings::default(), Limits::default(), None, Some(LiveMetrics::default()), replace)
}

fn build<P: Ports>(
    settings: Settings,
    limits: Limits,
    tls: Option<TlsKeys>,
    live_metrics: Option<LiveMetrics>,
    replace: impl FnOnce(Adapters<RuntimePorts>, &Registry) -> Adapters<P>,
) -> TestServer {
    let directory = tempfile::tempdir().unwrap();
    // A failed delivery is a dead letter at once.
    let storage = StorageSettings { max_receive_count: 1, ..store_support::settings() };
    let store = Store::open(&directory.path().join("store"), storage, SystemClock).unwrap();
    let (sender, inserted) = unbounded_channel();
    let registry = Registry::new(sender, limits);
    let (broadcasts, pending) = Broadcasts::open(&store, BroadcastSettings::default(), SystemClock).unwrap();
    let config = Config::from_text("[handshake]\nopen = true", []).unwrap();
    let runtime_config = RuntimeConfig {
        edge: config.edge(),
        authorizer: config.authorizer(),
        issuer: config.tokens.issuer(),
        login: config.login.offer(),
        logins: config.login.limits(),
        max_unused_tokens: config.tokens.max_unused,
        keys: config.keys.limits(),
    };
    let parts = Parts {
        message_queue: LocalMessageQueue { store: store.clone(), broadcasts },
        registry: registry.clone(),
        hubs: MemoryHubs::default(),
        history: None,
        watching: Watching { live_metrics, tracking: Tracking::new(SystemClock) },
    };
    let load = || Credentials::load_or_create(directory.path()).unwrap();
    let credentials = load();
    let adapters = replace(runtime::adapters(runtime_config, parts, load()).unwrap(), &registry);
    let settings = Settings { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..settings };
    let server = Server::bind(settings, tls, adapters, registry.clone(), None).unwrap();
    let address = server.local_addr().unwrap();
    let metrics_address = server.metrics_addr();
    let (stop, stopped) = oneshot::channel();
    tokio::spawn(run_sweeper(registry.clone(), SystemClock, std::future::pending()));
    let running = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    TestServer {
        address,
        metrics_address,
        key: credentials.api_key.reveal().to_owned(),
        credentials,
        store,
        registry,
        inserted,
        _directory: directory,
        _broadcasts: pending,
        stop: Some(stop),
        running,
    }
}

impl TestServer {
    /// Takes all notifications out of the queue, in order for each user.
    pub(crate) fn take_queued(&self) -> Vec<Arc<Notification>> {
        let mut all = Vec::new();
        while let Some(lease) = self.store.try_receive() {
            all.extend(lease.entries().iter().map(|entry| match entry {
                Entry::Notification { item, .. } => Arc::clone(&item.body),
                Entry::Replay(_) => panic!("a replay is queued"),
            }));
            let outcomes = vec![Outcome::Done; lease.entries().len()];
            lease.complete(&outcomes);
        }
        all
    }

    /// Connects as a user.
    pub(crate) async fn connect(&mut self, user: &str) -> (Client, ConnectionKey) {
        self.connect_with(user, "").await
    }

    pub(crate) async fn connect_with(&mut self, user: &str, query: &str) -> (Client, ConnectionKey) {
        let url = format!("ws://{}/ws?client_id={user}{query}", self.address);
        let (client, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        (client, self.inserted.recv().await.unwrap())
    }

    /// Waits until the user has this number of connections.
    pub(crate) async fn until_connections(&self, user: &str, count: usize) {
        let user = UserId::new(user).unwrap();
        within(async {
            while self.registry.list(&user).await.unwrap().len() != count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }

    /// Asks the server to shut down.
    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// Waits for the end of the shutdown.
    pub(crate) async fn stopped(self) {
        within(self.running).await.unwrap();
    }

    /// Signs a `POST` request to a host and path, and returns its headers.
    pub(crate) fn sign(&self, host: &str, path: &str, body: &str) -> [String; 2] {
        let now = SystemClock.now().millis().try_into().unwrap();
        let time = jiff::Timestamp::from_millisecond(now).unwrap();
        let (time, date) = (time.strftime("%Y%m%dT%H%M%SZ").to_string(), time.strftime("%Y%m%d").to_string());
        let sha256 = |text: &str| hex::encode(Sha256::digest(text));
        let names = "host;x-amz-date";
        let canonical =
            format!("POST\n{path}\n\nhost:{host}\nx-amz-date:{time}\n\n{names}\n{}", sha256(body));
        let scope = format!("{date}/eu-west-1/execute-api/aws4_request");
        let string = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", sha256(&canonical));
        let key = &self.credentials.access_key;
        let mut tag = format!("AWS4{}", key.reveal()).into_bytes();
        for text in [&*date, "eu-west-1", "execute-api", "aws4_request", &*string] {
            tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &tag), text.as_bytes()).as_ref().to_vec();
        }
        let credential =
            format!("Credential={}/{scope}, SignedHeaders={names}, Signature={}", key.id(), hex::encode(tag));
        [format!("authorization: AWS4-HMAC-SHA256 {credential}"), format!("x-amz-date: {time}")]
    }

    /// Sends bytes as they are and returns the answer. They must ask for the connection to be closed.
    pub(crate) async fn exchange(&self, bytes: &str) -> Answer {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        let mut answer = Vec::new();
        within(async {
            socket.write_all(bytes.as_bytes()).await.unwrap();
            socket.read_to_end(&mut answer).await.unwrap();
        })
        .await;
        Answer::parse(&answer)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"").await
    }

    pub(crate) async fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send("POST", path, &[], body.as_ref()).await
    }

    /// Sends a request with the API key, unless another credential is given.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        if !headers.iter().any(|header| header.to_ascii_lowercase().starts_with("authorization")) {
            write!(head, "authorization: Bearer {}\r\n", self.key).unwrap();
        }
        for header in headers {
            write!(head, "{header}\r\n").unwrap();
        }
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        let mut bytes = Vec::new();
        within(async {
            socket.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
            // A refused body may not be read to its end.
            let _ = socket.write_all(body).await;
            let _ = socket.read_to_end(&mut bytes).await;
        })
        .await;
        Answer::parse(&bytes)
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        };
        Self { status, headers: lines.map(header).collect(), body: body.to_owned() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Requires a problem document of that status whose detail has all of `words`.
    #[track_caller]
    pub(crate) fn require_problem(&self, status: u16, words: &[&str]) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        let kind = problem["type"].as_str().unwrap().strip_prefix("urn:tidings:problem:").unwrap();
        let known = PROBLEMS.iter().find(|known| known.name == kind).expect("the type is in the table");
        assert!(known.statuses.contains(&status), "{kind} comes with {status}");
        assert_eq!(problem["requestId"].as_str(), self.header("x-request-id"), "{self:?}");
        let detail = problem["detail"].as_str().unwrap();
        for word in words {
            assert!(detail.contains(word), "{word:?} is not in {detail:?}");
        }
    }
}

/// Waits for a future, at most 20 seconds.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it takes too long")
}
