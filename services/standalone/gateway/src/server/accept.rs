//! Accepts connections and serves HTTP on them.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use contract_notifications_v1::Timestamp;
use futures_util::future::{Either, join, select};
use hyper::body::Incoming;
use hyper::server::conn::http1::{self, UpgradeableConnection};
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use shared_ports::Clock as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

use super::addresses::{Addresses, count_refusal};
use super::front::Front;
use super::phases::{Late, PhaseLimits, PhaseTimer, Phases, Watched};
use super::problem::Problem;
use super::request::{Remote, RequestId, request_id};
use super::safe_headers::SafeHeaders;
use super::security_log::{About, Event, Line, SecurityLog, classify};
use super::stream::Stream;
use super::tls::TlsKeys;
use super::{App, Ports};

/// Maximum size of a request's head: a connect token has at most 4 KiB, and cookies may add as much again.
const MAX_HEAD: usize = 32 * 1024;

/// Maximum size of a connection's buffers. A head fits; bodies and answers pass through in parts.
const MAX_BUFFER: usize = 64 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Accepts connections until `shutdown` completes, then closes them all.
///
/// Each connection has a task of its own, which ends when the connection is closed or becomes a WebSocket.
pub(super) async fn run<P: Ports>(
    listener: TcpListener,
    tls: Option<TlsKeys>,
    app: Arc<App<P>>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let router = super::router::router(app.clone());
    let capacity = Arc::new(Semaphore::new(app.settings.max_http_connections));
    let (finish, _) = watch::channel(());
    let mut http = http1::Builder::new();
    // hyper's own limit of a head runs while a connection is idle, too.
    http.header_read_timeout(None).max_header_size(MAX_HEAD).max_buf_size(MAX_BUFFER);
    let front = Arc::new(app.settings.front.clone());
    let security = Arc::new(SecurityLog::new(app.settings.security_lines_per_second));
    let clock: Now = Arc::new({
        let app = Arc::clone(&app);
        move || app.ports.clock.now()
    });
    let safe_headers = SafeHeaders::new(app.settings.hsts_max_age.filter(|_| tls.is_some()));
    let limits = PhaseLimits {
        head: app.settings.header_timeout,
        idle: app.settings.keep_alive,
        write: app.settings.write_timeout,
        capacity: Arc::clone(&capacity),
        connections: app.settings.max_http_connections,
        open_files: app.open_files.clone(),
    };
    let of_keys = Arc::clone(&app);
    let has_api_key: ApiKeyCheck = Arc::new(move |headers| of_keys.has_api_key(headers));
    let mut shutdown = pin!(shutdown);
    loop {
        let (socket, address) = match select(pin!(listener.accept()), &mut shutdown).await {
            Either::Right(_) => break,
            Either::Left((Ok(accepted), _)) => accepted,
            Either::Left((Err(error), _)) => {
                after_failed_accept(&error).await;
                continue;
            }
        };
        let Ok(permit) = capacity.clone().try_acquire_owned() else {
            metrics::counter!("tidings_http_connections_refused_total").increment(1);
            continue;
        };
        if app.open_files.as_ref().is_some_and(|files| files.free(limits.open()) == 0) {
            metrics::counter!("tidings_http_connections_refused_total").increment(1);
            continue;
        }
        let remote = address.ip().to_canonical();
        // The clients behind a proxy share its connections.
        let slot =
            if front.trusts(remote) { Ok(None) } else { app.addresses.connect(remote, Instant::now()) };
        let Ok(slot) = slot else {
            count_refusal("connections");
            continue;
        };
        // Frames are coalesced before they are written, so the system must not wait for more.
        let _ = socket.set_nodelay(true);
        let router = TowerToHyperService::new(router.clone());
        let (http, finishing) = (http.clone(), finish.subscribe());
        let tls = tls.as_ref().map(TlsKeys::acceptor);
        let (safe_headers, security) = (safe_headers.clone(), Arc::clone(&security));
        let clock = Arc::clone(&clock);
        let (front, limits) = (Arc::clone(&front), limits.clone());
        let (addresses, has_api_key) = (Arc::clone(&app.addresses), Arc::clone(&has_api_key));
        tokio::spawn(async move {
            let Some(stream) = secure(socket, tls, limits.head).await else { return };
            let phases = Phases::new();
            let stream = Watched::new(stream, phases.clone());
            let service = Requests {
                router,
                front,
                addresses,
                has_api_key,
                remote,
                safe_headers,
                security,
                clock,
                phases: phases.clone(),
            };
            let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
            let served = serve(connection, PhaseTimer::new(phases, limits), finishing).await;
            if let Err(error) = served {
                tracing::debug!(error = &error as &dyn std::error::Error, "an HTTP connection failed");
            }
            drop((permit, slot));
        });
    }
    drop(listener);
    tracing::info!(sockets = app.registry.open_sockets(), "closing connections");
    let _ = finish.send(());
    let closed = join(app.registry.close_all(), finish.closed());
    if timeout(app.settings.shutdown_timeout, closed).await.is_err() {
        tracing::warn!(sockets = app.registry.open_sockets(), "some connections did not close in time");
    }
}

/// Serves a connection until it is closed, reaches a limit, or `finishing` changes.
async fn serve(
    connection: UpgradeableConnection<TokioIo<Watched>, Requests>,
    mut timer: PhaseTimer,
    mut finishing: watch::Receiver<()>,
) -> hyper::Result<()> {
    let mut connection = pin!(connection);
    match select(connection.as_mut(), select(&mut timer, pin!(finishing.changed()))).await {
        Either::Left((served, _)) => return served,
        Either::Right((Either::Left((late @ (Late::Head | Late::Write), _)), _)) => {
            late.count();
            return Ok(());
        }
        // An idle connection is closed at once, and one with a request after its answer.
        Either::Right((Either::Left((Late::Idle, _)) | Either::Right(_), _)) => {}
    }
    connection.as_mut().graceful_shutdown();
    timer.finishing();
    match select(connection, timer).await {
        Either::Left((served, _)) => served,
        Either::Right((late, _)) => {
            late.count();
            Ok(())
        }
    }
}

/// Pauses after an error that is not about one connection, such as a lack of file descriptors.
async fn after_failed_accept(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::warn!(error = error as &dyn std::error::Error, "can't accept connections");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Completes the TLS handshake, if there is to be TLS. Returns `None` if it fails or takes longer than `limit`.
async fn secure(socket: TcpStream, tls: Option<TlsAcceptor>, limit: Duration) -> Option<Stream> {
    let Some(tls) = tls else { return Some(Stream::Plain(socket)) };
    match timeout(limit, tls.accept(socket)).await {
        Ok(Ok(stream)) => Some(Stream::Tls(Box::new(stream))),
        Ok(Err(error)) => {
            tracing::debug!(error = &error as &dyn std::error::Error, "a TLS handshake failed");
            None
        }
        Err(_) => None,
    }
}

/// The service of one connection: checks the `Host` of each request, gives it an id and renders problems.
struct Requests {
    router: TowerToHyperService<Router>,
    front: Arc<Front>,
    addresses: Arc<Addresses>,
    has_api_key: ApiKeyCheck,
    remote: IpAddr,
    safe_headers: SafeHeaders,
    security: Arc<SecurityLog>,
    clock: Now,
    phases: Phases,
}

/// Returns the time.
type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Returns true for a request with a valid API key.
type ApiKeyCheck = Arc<dyn Fn(&HeaderMap) -> bool + Send + Sync>;

impl Requests {
    /// Finds the client of a request and checks its address's limit, which producers and operators don't have.
    fn receive(&self, request: &mut Request<Incoming>) -> Result<(), Problem> {
        let Remote(client) = self.front.receive(self.remote, request)?;
        let counted = self.addresses.request(client, Instant::now());
        if counted.is_err() && (self.has_api_key)(request.headers()) {
            return Ok(());
        }
        counted.map_err(|wait| {
            count_refusal("requests");
            let detail = "too many requests from your address (limits.requests_per_address); try again later";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", detail).retry_after(wait)
        })
    }
}

/// What a request asked for, for the security log.
struct Asked {
    method: Method,
    uri: Uri,
    address: IpAddr,
}

impl Asked {
    /// Writes the line of the security log that an answer needs, if it needs one.
    fn report(&self, answer: &Response, request_id: &str, log: &SecurityLog, now: impl Fn() -> Timestamp) {
        let Self { method, uri, address } = self;
        let problem = answer.extensions().get::<Problem>();
        let Some(event) = classify(method, uri.path(), answer.status(), problem) else { return };
        let about = answer.extensions().get().map(|About(user)| user);
        // Users get tokens for themselves all the time.
        if event == Event::TokenIssued && about.is_none() {
            return;
        }
        let reason = problem.map(|problem| problem.reason.as_deref().unwrap_or(&problem.detail));
        let line = Line {
            event,
            request_id,
            address: *address,
            method,
            path: uri.path(),
            status: answer.status(),
            reason: &reason.unwrap_or_default(),
            user: about.or_else(|| problem?.about.as_ref()),
        };
        log.write(&line, now());
    }
}

impl Service<Request<Incoming>> for Requests {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let id: Arc<str> = request_id().into();
        request.extensions_mut().insert(RequestId(id.clone()));
        self.phases.begin_request();
        let phases = self.phases.clone();
        let safe_headers = self.safe_headers.for_request(request.headers());
        let received = self.receive(&mut request);
        let asked = Asked {
            method: request.method().clone(),
            uri: request.uri().clone(),
            address: request.extensions().get().map_or(self.remote, |Remote(address)| *address),
        };
        let (security, clock) = (Arc::clone(&self.security), Arc::clone(&self.clock));
        let answer = match received {
            Ok(()) => Either::Left(self.router.call(request)),
            Err(problem) => Either::Right(ready(Ok(problem.into_response()))),
        };
        Box::pin(async move {
            let answer = answer.await;
            phases.end_request();
            let mut response = answer?;
            asked.report(&response, &id, &security, &*clock);
            if let Some(problem) = response.extensions_mut().remove::<Problem>() {
                let mut headers = std::mem::take(response.headers_mut());
                headers.remove(CONTENT_TYPE);
                headers.remove(axum::http::header::CONTENT_LENGTH);
                response = problem.render(&id);
                response.headers_mut().extend(headers);
            }
            // A UUID is always a legal value.
            if let Ok(value) = HeaderValue::from_str(&id) {
                response.headers_mut().insert(REQUEST_ID, value);
            }
            safe_headers.add_to(&mut response);
            Ok(response)
        })
    }
}
