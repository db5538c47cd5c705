//! The HTTP surface: WebSockets, the producer API, API Gateway's management API, tokens and users, dead letters,
//! health and metrics, all on one port.
//!
//! A [`Server`] reaches the rest of the process through the [ports](Ports) alone. A request is handled in the task
//! of its connection; after a WebSocket handshake the socket has its own task and belongs to the [`Registry`].

mod about;
mod accept;
mod accounts;
mod addresses;
mod auth;
mod body_room;
mod cors;
mod credential_connections;
mod dead_letters;
mod entries;
mod fallback;
mod forwarded;
mod front;
#[cfg(feature = "fuzz-api")]
pub mod fuzz_api;
mod health;
mod history;
mod inspection;
mod json_body;
mod keys;
mod live_metrics;
mod management;
mod metrics_listener;
mod open_files;
mod own_pages;
pub mod pages;
mod path;
mod phases;
mod ports;
mod problem;
mod produce;
mod quotas;
mod rate;
mod request;
mod revocations;
mod router;
mod safe_headers;
mod security_log;
mod stream;
mod tls;
mod upgrade;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use addresses::{Addresses, Origin};
use body_room::BodyRoom;
use contract_notifications_v1::{MAX_PAYLOAD_DEPTH, UnknownFields};
use tokio::net::{TcpListener, TcpSocket};

pub use about::{About, ClientMessagePolicy, LoginOffer, ShownUser};
pub use addresses::AddressLimits;
use credential_connections::CredentialConnections;
use entries::Rules;
pub use forwarded::ForwardedHeader;
pub use front::Front;
pub use health::{Metrics, MetricsError, prometheus};
use open_files::OpenFiles;
pub use own_pages::OwnPages;
pub use ports::{
    Acceptance, Accounts, Adapters, AddUserError, AuthError, Callers, ChangeUserError, ClientEdge,
    DeadLetter, DeadLetterSelector, DeadLetters, GUEST_PREFIX, Guest, HistoryReader, Inspection, KeyRing,
    LiveMetricsReader, Login, NewUser, Ports, Readiness, Revocations, Tokens,
};
pub use problem::{PROBLEMS, ProblemType};
pub use quotas::QuotaLimits;
use quotas::Quotas;
use rate::Rate;
use tidings_identity::keys::KeyName;
use tidings_sockets::Registry;
pub use tls::{ReloadRequest, TlsError, TlsFiles, TlsKeys, TlsReloader};

/// Connections that may wait to be accepted; the system may allow fewer.
const BACKLOG: u32 = 4_096;

/// Settings of the HTTP surface.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// True if producers and operators must authenticate.
    pub authenticate: bool,
    /// True if the web pages are served.
    pub pages: bool,
    /// The answer to `GET /v1/info`.
    pub about: About,
    /// Treatment of unknown fields of a notification.
    pub unknown_fields: UnknownFields,
    /// The proxies in front of the server.
    pub front: Front,
    /// The address of a listener for metrics and health alone.
    pub metrics_listen: Option<SocketAddr>,
    /// Time for which browsers are to use TLS alone, if the server has a certificate.
    pub hsts_max_age: Option<Duration>,
    /// Lines of the security log a second, of each kind of event; `None` for no limit.
    pub security_lines_per_second: Option<u32>,
    /// Origins whose pages may get tokens; pages of other origins than the server's own may not if it is empty.
    pub allowed_origins: Vec<String>,
    /// Time in which a client must send a request's head, or complete a TLS handshake.
    pub header_timeout: Duration,
    /// Time in which a client must send a request's body.
    pub body_timeout: Duration,
    /// Maximum time in which a client takes none of the bytes of an answer that wait for it.
    pub write_timeout: Duration,
    /// Maximum time between an answer and the next request on the same connection.
    pub keep_alive: Duration,
    /// Maximum number of connections that are not, or not yet, WebSockets; further ones are closed at once.
    pub max_http_connections: usize,
    /// Number of files that the process may have open, of which each connection takes one; `None` for no limit.
    pub open_files: Option<usize>,
    /// The limits of each client address.
    pub addresses: AddressLimits,
    /// Maximum number of bytes of all bodies together whose senders are not authenticated yet; one address may have half
    /// of it.
    pub unknown_body_bytes: usize,
    /// Maximum number of bytes of all bodies of authenticated requests that are not answered yet; one key may have half
    /// of it.
    pub key_body_bytes: usize,
    /// Maximum number of levels of arrays and objects in a payload.
    pub payload_depth: usize,
    /// Maximum number of WebSocket handshakes a second; `None` for no limit.
    pub connects_per_second: Option<u32>,
    /// Limits of connect tokens and guests.
    pub quotas: QuotaLimits,
    /// Maximum size of a body with one notification.
    pub max_body_bytes: usize,
    /// Maximum size of a body with many notifications.
    pub max_bulk_body_bytes: usize,
    /// Time that a shutdown waits for requests in flight and for clients to close.
    pub shutdown_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            authenticate: true,
            pages: true,
            about: About::default(),
            unknown_fields: UnknownFields::default(),
            front: Front::default(),
            metrics_listen: None,
            security_lines_per_second: Some(20),
            // The least that the preload list of browsers takes (<https://hstspreload.org/>).
            hsts_max_age: Some(Duration::from_hours(24 * 365)),
            allowed_origins: Vec::new(),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(15),
            // Longer than proxies keep a connection: nginx and ALB 60 s, Caddy 2 min, Envoy an hour.
            keep_alive: Duration::from_mins(65),
            max_http_connections: 20_000,
            open_files: None,
            addresses: AddressLimits::default(),
            unknown_body_bytes: 64 * 1024 * 1024,
            key_body_bytes: 256 * 1024 * 1024,
            payload_depth: MAX_PAYLOAD_DEPTH,
            connects_per_second: None,
            quotas: QuotaLimits::default(),
            max_body_bytes: 256 * 1024,
            max_bulk_body_bytes: 32 * 1024 * 1024,
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}

impl Settings {
    /// Returns what producers' notifications may have.
    const fn rules(&self) -> Rules {
        Rules { unknown_fields: self.unknown_fields, payload_depth: self.payload_depth }
    }
}

/// The state that all request handlers share.
struct App<P: Ports> {
    ports: Adapters<P>,
    registry: Registry,
    settings: Settings,
    connect_rate: Rate,
    open_files: Option<Arc<OpenFiles>>,
    /// Shared with the entries of the connections.
    credential_connections: Arc<CredentialConnections>,
    quotas: Quotas,
    addresses: Arc<Addresses>,
    unknown_bodies: BodyRoom<Origin>,
    /// Bodies of keys, by their names; those without authentication have no name.
    key_bodies: BodyRoom<Option<KeyName>>,
    metrics: Option<Metrics>,
}

/// A server that listens and does not answer yet.
pub struct Server<P: Ports> {
    listener: TcpListener,
    metrics_listener: Option<TcpListener>,
    tls: Option<TlsKeys>,
    app: Arc<App<P>>,
}

/// The address can't be listened on.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address}")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// The system's error.
    #[source]
    pub source: io::Error,
}

impl<P: Ports> Server<P> {
    /// Begins to listen. Connections wait until [`Server::run`]. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`BindError`] if the address can't be listened on.
    pub fn bind(
        settings: Settings,
        tls: Option<TlsKeys>,
        ports: Adapters<P>,
        registry: Registry,
        metrics: Option<Metrics>,
    ) -> Result<Self, BindError> {
        let address = settings.listen;
        let bind = |address| listen(address).map_err(|source| BindError { address, source });
        let listener = bind(address)?;
        let metrics_listener = settings.metrics_listen.map(bind).transpose()?;
        let connect_rate = Rate::new(settings.connects_per_second);
        let quotas = Quotas::new(settings.quotas);
        let open_files = settings.open_files.map(|limit| Arc::new(OpenFiles::new(limit)));
        let mut limits = settings.addresses;
        if let Some(files) = &open_files {
            limits.web_sockets = limits.web_sockets.min(files.web_sockets_per_address());
        }
        let addresses = Arc::new(Addresses::new(limits));
        let unknown_bodies = BodyRoom::new(settings.unknown_body_bytes);
        let key_bodies = BodyRoom::new(settings.key_body_bytes);
        let app = Arc::new(App {
            ports,
            registry,
            settings,
            connect_rate,
            open_files,
            credential_connections: Arc::default(),
            quotas,
            addresses,
            unknown_bodies,
            key_bodies,
            metrics,
        });
        Ok(Self { listener, metrics_listener, tls, app })
    }

    /// Returns the address it listens on.
    ///
    /// # Errors
    /// The system's error.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Returns the address that metrics are served on, if it is one of their own.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_listener.as_ref()?.local_addr().ok()
    }

    /// Answers requests until `shutdown` completes. Then it finishes the requests in flight and closes the
    /// WebSockets with 1001, for at most [`Settings::shutdown_timeout`].
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) {
        let Self { listener, metrics_listener, tls, app } = self;
        let metrics = metrics_listener.map(|listener| metrics_listener::run(listener, Arc::clone(&app)));
        let metrics = metrics.map(tokio::spawn);
        accept::run(listener, tls, app, shutdown).await;
        if let Some(metrics) = metrics {
            metrics.abort();
        }
    }
}

/// Listens with a backlog that is large enough for a burst of connects: a client that finds it full tries again
/// only after a second.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
