//! The WebSocket handshake, and the tasks of connections after it.
//!
//! The handshake runs in the task of the HTTP connection. When the connection is admitted, a second task waits for
//! hyper to hand over the socket, and a third runs it: a task keeps the memory of its largest await, and an idle
//! connection should cost as little as possible.

use std::borrow::Cow;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use auth_token::{Handshake, Refusal};
use axum::extract::{Query, Request, State};
use axum::http::header::{
    ALLOW, CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use contract_connections_v1::ConnectionId;
use contract_identity_v1::Principal;
use contract_notifications_v1::{Sequence, Timestamp};
use futures_util::FutureExt as _;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use shared_ports::Clock as _;
use tidings_sockets::{Attachment, ClientMessage, Peer, Session, SharedTcp};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use ws_edge::{Admission, ClientInfo, ConnectError, ConnectRequest, Inbound, MessageRequest};

use super::addresses::{Slot, count_refusal};
use super::credential_connections::CredentialConnection;
use super::phases::Watched;
use super::problem::Problem;
use super::request::{Remote, RequestId, request_id};
use super::stream::Stream;
use super::{App, ClientEdge, GUEST_PREFIX, KeyRing as _, Ports, Revocations as _};

/// Answers `GET /ws`.
pub(super) async fn websocket<P: Ports>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers();
    if !contains_token(headers, &UPGRADE, "websocket") {
        let detail = "this is a WebSocket endpoint; connect to it with a WebSocket client";
        return Err(Problem::new(StatusCode::UPGRADE_REQUIRED, "upgrade-required", detail)
            .with_header(UPGRADE, HeaderValue::from_static("websocket"))
            .with_header(CONNECTION, HeaderValue::from_static("upgrade")));
    }
    upgrade(app, request).await
}

/// Answers `GET /{stage}` and `GET /`, the paths of API Gateway's endpoints. A request without an upgrade is for
/// a page.
pub(super) async fn stage<P: Ports>(app: State<Arc<App<P>>>, request: Request) -> Result<Response, Problem> {
    if contains_token(request.headers(), &UPGRADE, "websocket") {
        return upgrade(app.0, request).await;
    }
    super::fallback::unrouted(app, request).await
}

async fn upgrade<P: Ports>(app: Arc<App<P>>, mut request: Request) -> Result<Response, Problem> {
    // Routes for GET answer HEAD too.
    if request.method() != Method::GET {
        let detail = format!("a WebSocket handshake must be GET, not {}", request.method());
        return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
            .with_header(ALLOW, HeaderValue::from_static("GET")));
    }
    let accept = accept_key(request.headers())?;
    let Some(on_upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return Err(Problem::bad_request("this connection can't be upgraded; use HTTP/1.1"));
    };
    let remote = request.extensions().get::<Remote>().copied().unwrap_or_default();
    app.addresses.handshake(remote.0, Instant::now()).map_err(|wait| {
        count_refusal("handshakes");
        let detail = "too many handshakes from your address (limits.handshakes_per_address); try again later";
        too_many(detail).retry_after(wait)
    })?;
    if !app.connect_rate.take() {
        let detail = format!("more than {} connections a second; try again later", app.connect_rate.limit());
        return Err(too_many(detail).retry_after(Duration::from_secs(1)));
    }
    let place = match app.open_files.as_ref().map(|files| files.open_web_socket()) {
        Some(None) => {
            metrics::counter!("tidings_open_files_refused_total").increment(1);
            let detail =
                "the server has as many WebSockets as its limit of open files allows; try again later";
            return Err(Problem::unavailable(detail));
        }
        place => place.flatten(),
    };
    let handshake = handshake(request.uri(), request.headers())?;
    let revoked = app.ports.revocations.version();
    let principal = match app.ports.client_edge.authorize(&handshake).await {
        Ok(principal) => principal,
        Err(refusal) => return Err(refused(&refusal, request.extensions().get::<RequestId>(), remote)),
    };
    let Handshake { query, subprotocols, .. } = handshake;
    let slot = app.addresses.open_web_socket(remote.0, Instant::now()).map_err(|_| {
        count_refusal("web-sockets");
        too_many("too many open WebSockets from your address (limits.web_sockets_per_address); close some")
    })?;
    let user_agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok());
    let user_agent: Option<String> = user_agent.map(|agent| agent.chars().take(256).collect());
    let opened_at = app.ports.clock.now();
    let client = ClientInfo { source_ip: remote.0.to_string(), user_agent: user_agent.clone() };
    let connection_id = new_connection_id();
    let is_guest = app.settings.about.login.guests && principal.user_id.as_str().starts_with(GUEST_PREFIX);
    let guest_of = is_guest.then(|| app.addresses.limited(remote.0)).flatten();
    let connect = ConnectRequest { connection_id, query, subprotocols, opened_at, client, guest_of };
    let peer = Peer { ip: remote.0, user_agent: user_agent.unwrap_or_default().into() };
    // A task of its own: hyper drops this one when the client goes away, and a connection that is half opened would
    // stay a member of its hubs.
    let opening = tokio::spawn(open(
        app,
        principal,
        revoked,
        connect,
        peer,
        on_upgrade,
        Places { _address: slot, _file: place },
    ));
    let subprotocol = opening.await.map_err(|error| Problem::internal("opening a connection", &error))??;
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(subprotocol) = subprotocol.and_then(|offer| HeaderValue::try_from(offer).ok()) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    Ok(response)
}

fn too_many(detail: impl Into<Cow<'static, str>>) -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-connections", detail)
}

/// Returns the problem of a refused handshake, with the reason for the security log, and for the client if it may know
/// it. A failure of ours is logged here.
fn refused(refusal: &Refusal, request_id: Option<&RequestId>, client: Remote) -> Problem {
    if refusal.status() == auth_token::Status::InternalServerError {
        refusal.log(request_id.map(|id| &*id.0).unwrap_or_default(), &client.0.to_string());
    }
    let status = StatusCode::from_u16(refusal.status().code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let detail = match refusal.hint() {
        Some(hint) => hint,
        None => format!("{}; the server's log has the reason under the request id", refusal.message()),
    };
    Problem::new(status, "handshake-refused", detail).with_reason(refusal.reason().to_string())
}

/// Returns a header's value as text. HTTP names no encoding: UTF-8 is tried first, then Latin-1.
fn text(value: &HeaderValue) -> String {
    let bytes = value.as_bytes();
    std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().copied().map(char::from).collect(), str::to_owned)
}

/// Admits a connection and starts to serve it. Returns the subprotocol that answers the handshake.
///
/// `revoked` is the version of the revocations with which the handshake was authorized.
async fn open<P: Ports>(
    app: Arc<App<P>>,
    principal: Principal,
    revoked: u64,
    connect: ConnectRequest,
    peer: Peer,
    on_upgrade: OnUpgrade,
    places: Places,
) -> Result<Option<String>, Problem> {
    let (opened_at, guest_of) = (connect.opened_at, connect.guest_of);
    let Admission { row, subprotocol } =
        app.ports.client_edge.connect(&principal, connect).await.map_err(|error| match error {
            ConnectError::Refused(refusal) => Problem::bad_request(refusal.to_string()),
            ConnectError::TooMany { .. } => too_many(error.to_string()),
            ConnectError::TooOften { wait, .. } => too_many(error.to_string()).retry_after(wait),
            ConnectError::TooSlow => Problem::unavailable("the handshake took too long; try again"),
            ConnectError::Unavailable(error) => Problem::internal("storing a connection", &error),
        })?;
    let id = row.connection_id;
    let credential = app.credential_connections.enter(&principal, &id);
    let opened = Opened {
        principal: Arc::new(principal),
        id,
        at: opened_at,
        _credential: credential,
        _places: places,
    };
    // The connection can be found from here on. What was stored before did not find it, and is found now: a block of
    // the user, or that the key or the JSON Web Token which the connection stands on is revoked.
    let principal = &opened.principal;
    let key_is_gone = principal.source_key.as_deref().is_some_and(|key| !app.ports.keys.contains(key));
    let token_is_refused =
        principal.source_token.as_deref().is_some_and(|id| app.ports.revocations.is_refused(id));
    if key_is_gone || token_is_refused || app.ports.revocations.changed_since(&principal.user_id, revoked) {
        app.registry.close(&opened.id);
        forget(&app.ports.client_edge, &opened).await;
        return Err(if key_is_gone {
            let detail = "the key that asked for this token is revoked; ask for one with another key";
            Problem::new(StatusCode::FORBIDDEN, "handshake-refused", detail)
        } else {
            Problem::unavailable("the user's credentials have just been revoked; connect again")
        });
    }
    match app.registry.attach(&opened.id) {
        Some(attachment) => {
            tokio::spawn(serve(app, opened, guest_of, attachment, peer, on_upgrade));
        }
        // The edge has closed it already, for example because of the user's next connection.
        None => forget(&app.ports.client_edge, &opened).await,
    }
    Ok(subprotocol)
}

/// Returns the parts of a request that the authorizer decides on.
pub(super) fn handshake(uri: &Uri, headers: &HeaderMap) -> Result<Handshake, Problem> {
    // The parser would replace other bytes, and so make one user of several.
    if uri.query().is_some_and(|query| percent_decode_str(query).decode_utf8().is_err()) {
        return Err(Problem::bad_request("the query is not valid: its parts must be percent-encoded UTF-8"));
    }
    let Query(query) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|_| Problem::bad_request("the query is not valid: it must be name=value&name=value"))?;
    let headers = headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    Ok(Handshake::new(query, headers))
}

/// An admitted connection.
struct Opened {
    principal: Arc<Principal>,
    id: ConnectionId,
    at: Timestamp,
    /// Its entry among the connections of the key that asked for its token.
    _credential: CredentialConnection,
    _places: Places,
}

/// The places that a connection takes until it ends.
struct Places {
    /// Its place among the WebSockets of its address.
    _address: Option<Slot>,
    /// Its place among the files that WebSockets may take.
    _file: Option<OwnedSemaphorePermit>,
}

/// Waits for the socket and starts its task.
async fn serve<P: Ports>(
    app: Arc<App<P>>,
    opened: Opened,
    guest_of: Option<IpAddr>,
    attachment: Attachment,
    peer: Peer,
    on_upgrade: OnUpgrade,
) {
    let upgraded = on_upgrade.await.map(Upgraded::downcast::<TokioIo<Watched>>);
    let Ok(Ok(parts)) = upgraded else {
        // The client was gone before the answer.
        drop(attachment);
        return forget(&app.ports.client_edge, &opened).await;
    };
    let Opened { principal, id, .. } = &opened;
    let session = Frames { app: app.clone(), principal: principal.clone(), id: id.clone(), guest_of };
    match parts.io.into_inner().into_stream() {
        Stream::Plain(socket) => {
            let socket = SharedTcp::new(socket);
            attachment.write_directly(socket.clone());
            run(app, opened, attachment.run(socket, parts.read_buf, peer, session));
        }
        Stream::Tls(socket) => run(app, opened, attachment.run(socket, parts.read_buf, peer, session)),
    }
}

/// Runs a socket in a task of its own, because the caller's task has the memory of the handshake.
///
/// An open connection keeps the memory of that task. An `async` block would have the socket's future twice, as what it takes
/// and as what it awaits, and the future that forgets the connection beside it.
fn run<P: Ports>(app: Arc<App<P>>, opened: Opened, socket: impl Future<Output = ()> + Send + 'static) {
    let forget = move |()| Box::pin(async move { forget(&app.ports.client_edge, &opened).await });
    tokio::spawn(socket.then(forget));
}

/// Deletes the row of a connection that ended.
async fn forget(client_edge: &impl ClientEdge, Opened { principal, id, at, .. }: &Opened) {
    if let Err(error) = client_edge.disconnect(principal, id, *at).await {
        let error = shared_telemetry::chain(&error);
        tracing::warn!(connection = %id, error, "a closed connection could not be forgotten");
    }
}

/// The session of one connection: passes its frames to the edge.
struct Frames<P: Ports> {
    app: Arc<App<P>>,
    principal: Arc<Principal>,
    id: ConnectionId,
    /// The address to count under, if the client is a guest.
    guest_of: Option<IpAddr>,
}

impl<P: Ports> Session for Frames<P> {
    fn message(&self, message: ClientMessage) -> Pin<Box<dyn Future<Output = Option<String>> + Send>> {
        let (app, principal, id) = (self.app.clone(), self.principal.clone(), self.id.clone());
        let guest_of = self.guest_of;
        Box::pin(async move {
            let frame = match &message {
                ClientMessage::Text(text) => Inbound::Text(text.as_str()),
                ClientMessage::Binary => Inbound::Binary,
            };
            let request_id = request_id();
            let request = MessageRequest { connection_id: &id, request_id: &request_id, frame, guest_of };
            app.ports.client_edge.message(&principal, request).await.map(|frame| frame.to_json())
        })
    }

    fn confirmed(&self, sequences: &[Sequence]) {
        self.app.ports.client_edge.confirm(&self.principal, sequences);
    }
}

/// Checks the handshake's headers (RFC 6455, section 4.2.1) and returns the value of `Sec-WebSocket-Accept`.
fn accept_key(headers: &HeaderMap) -> Result<HeaderValue, Problem> {
    if !contains_token(headers, &CONNECTION, "upgrade") {
        return Err(Problem::bad_request("the header Connection must be \"Upgrade\""));
    }
    // RFC 6455, sections 11.3.1 and 11.3.5.
    for (name, written) in
        [(SEC_WEBSOCKET_KEY, "Sec-WebSocket-Key"), (SEC_WEBSOCKET_VERSION, "Sec-WebSocket-Version")]
    {
        if headers.get_all(name).iter().nth(1).is_some() {
            return Err(Problem::bad_request(format!("the header {written} must not be repeated")));
        }
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let detail = "the header Sec-WebSocket-Version must be \"13\"";
        return Err(Problem::new(StatusCode::UPGRADE_REQUIRED, "upgrade-required", detail)
            .with_header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")));
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    if STANDARD.decode(key).map_or(0, |key| key.len()) != 16 {
        return Err(Problem::bad_request("the header Sec-WebSocket-Key must be 16 bytes in base64"));
    }
    // Base64 is always a legal header value.
    Ok(HeaderValue::try_from(derive_accept_key(key)).unwrap_or(HeaderValue::from_static("")))
}

/// Returns true if a header with a list of tokens has `token`, in upper or lower case.
fn contains_token(headers: &HeaderMap, name: &axum::http::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(token))
}

/// Makes a connection id in the form of API Gateway's: base64, with characters that are safe in a path. It begins with a
/// letter, because command lines, the AWS CLI's too, take an argument that begins with `-` for an option.
fn new_connection_id() -> ConnectionId {
    let mut bytes = rand::random::<[u8; 15]>();
    // The first character stands for the first six bits; the letters come first.
    bytes[0] &= 0x7f;
    ConnectionId::new(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_ids_begin_with_a_letter() {
        for _ in 0..1_000 {
            let id = new_connection_id();
            assert!(id.as_str().starts_with(|first: char| first.is_ascii_alphabetic()), "{id}");
        }
    }
}
