//! The HTTP surface: WebSockets, the producer API, the management API of API Gateway, tokens and users,
//! dead letters, health and metrics, all on one port.
//!
//! What it needs of the rest of the process it asks of [`Services`]; sockets belong to the
//! [`Registry`] once their handshake is answered.

mod about;
mod accept;
mod accounts;
mod auth;
mod dead_letters;
mod entries;
mod figures;
#[cfg(feature = "fuzz-api")]
pub mod fuzz_api;
mod health;
mod history;
mod inspection;
mod management;
pub mod pages;
mod problem;
mod produce;
mod rate;
mod request;
mod router;
mod services;
mod stream;
mod tls;
mod upgrade;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::TlsAcceptor;

pub use about::{About, ClientMessagePolicy, LoginOffer, ShownUser};
pub use health::{Metrics, MetricsError, prometheus};
use rate::Rate;
pub use services::{AddUserError, AuthError, DeadLetter, Guest, Login, NewUser, Services, Which};
use tidings_sockets::Registry;
pub use tls::{TlsError, TlsFiles, TlsKeys};

/// Connections that may wait to be accepted; the system may allow fewer.
const BACKLOG: u32 = 4_096;

/// How the server serves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether producers and operators have to prove who they are.
    pub authenticate: bool,
    /// Whether the web pages are served.
    pub pages: bool,
    /// What the server says about itself.
    pub about: About,
    /// How long a client may take to send a request's head, or to complete a TLS handshake.
    pub header_timeout: Duration,
    /// How long a client may take to send a request's body.
    pub body_timeout: Duration,
    /// Most connections that are not WebSockets (yet); further ones are closed at once.
    pub max_http_connections: usize,
    /// Most WebSocket handshakes a second; `None`: no limit.
    pub connects_per_second: Option<u32>,
    /// Largest body of one notification.
    pub max_body_bytes: usize,
    /// Largest body of many.
    pub max_bulk_body_bytes: usize,
    /// How long a shutdown waits for requests in flight and for clients to close.
    pub shutdown_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            authenticate: true,
            pages: true,
            about: About::default(),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            max_http_connections: 20_000,
            connects_per_second: None,
            max_body_bytes: 256 * 1024,
            max_bulk_body_bytes: 32 * 1024 * 1024,
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}

/// What every request handler sees.
struct App<S> {
    services: Arc<S>,
    registry: Registry,
    settings: Settings,
    connect_rate: Rate,
    metrics: Option<Metrics>,
}

/// A server that listens and does not answer yet.
pub struct Server<S> {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    app: Arc<App<S>>,
}

/// The address can't be listened on.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address}")]
pub struct BindError {
    /// Which address.
    pub address: SocketAddr,
    /// What the system says.
    #[source]
    pub source: io::Error,
}

impl<S: Services> Server<S> {
    /// Begins to listen. Connections wait until [`Server::run`]. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`BindError`] when the address can't be listened on.
    pub fn bind(
        settings: Settings,
        tls: Option<TlsKeys>,
        services: Arc<S>,
        registry: Registry,
        metrics: Option<Metrics>,
    ) -> Result<Self, BindError> {
        let address = settings.listen;
        let listener = listen(address).map_err(|source| BindError { address, source })?;
        let connect_rate = Rate::new(settings.connects_per_second);
        let app = Arc::new(App { services, registry, settings, connect_rate, metrics });
        Ok(Self { listener, tls: tls.map(TlsKeys::into_acceptor), app })
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `shutdown` is complete. Then requests in flight are finished and WebSockets closed
    /// with 1001, for as long as the settings allow.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) {
        let Self { listener, tls, app } = self;
        accept::run(listener, tls, app, shutdown).await;
    }
}

/// Listens with room for a storm of connects: one that finds no room is tried again by its client's system
/// after a second.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
