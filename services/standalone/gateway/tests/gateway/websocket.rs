//! WebSocket handshakes and frames.

use std::convert::identity;
use std::sync::{Arc, Mutex};

use auth_token::{Handshake, Refusal};
use bytes::Bytes;
use contract_connections_v1::{ConnectionId, ConnectionKey};
use contract_frames_v1::{ErrorCode, ServerFrame};
use contract_identity_v1::Principal;
use contract_notifications_v1::{Sequence, Timestamp, UserId};
use dispatcher::core::ConnectionSet;
use dispatcher::ports::{Connections as _, Mailbox as _, MailboxRow, Push as _, PushError};
use futures_util::{SinkExt as _, StreamExt as _};
use shared_ports::PortError;
use tidings_gateway::server::{ClientEdge, Ports, Settings};
use tidings_sockets::{Limits, Registry};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use verification_conformance::{notification, user};
use ws_edge::{Admission, ConnectError, ConnectRequest, MessageRequest};

use crate::test_server::{Client, TestServer, replace, start, start_replacing, start_with, within};

async fn frame(client: &mut Client) -> ServerFrame {
    let message = within(client.next()).await.unwrap().unwrap();
    ServerFrame::from_json(message.to_text().unwrap()).unwrap()
}

async fn close_code(client: &mut Client) -> CloseCode {
    within(async {
        loop {
            if let Message::Close(close) = client.next().await.unwrap().unwrap() {
                return close.unwrap().code;
            }
        }
    })
    .await
}

async fn refusal(client: &mut Client, message: Message) -> (ErrorCode, String) {
    client.send(message).await.unwrap();
    match frame(client).await {
        ServerFrame::Error { code, message, request_id, .. } => {
            assert!(!request_id.is_empty());
            (code, message)
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn push_arrives_and_ack_is_answered() {
    let mut server = start();
    let rows = [7, 8].map(|n| MailboxRow {
        sequence: Sequence::new(n),
        notification: Arc::new(notification(&user("jo"), 1)),
        pushed_to: ConnectionSet::new(),
    });
    server.store.put(&user("jo"), rows.into()).await.unwrap();
    let (mut client, key) = server.connect("jo").await;
    let frames = vec!["one".into(), "two".into()];
    let pushed = within(server.registry.push(&key.user_id, &key.connection_id, frames)).await;
    assert_eq!(pushed.accepted, 2);
    assert!(pushed.error.is_none());
    for expected in ["one", "two"] {
        assert_eq!(within(client.next()).await.unwrap().unwrap(), Message::text(expected));
    }
    client.send(Message::text(r#"{"action":"ack","sequences":["7"]}"#)).await.unwrap();
    assert_eq!(frame(&mut client).await, ServerFrame::AckOk { acknowledged: 1 });
    let held = server.store.mailbox(&user("jo"), 10).unwrap();
    assert_eq!((held.count, held.first[0].sequence), (1, Sequence::new(8)));
    client.send(Message::text(r#"{"action":"ping"}"#)).await.unwrap();
    assert_eq!(frame(&mut client).await, ServerFrame::Pong { message: None, heartbeat: None });
}

#[tokio::test]
async fn burst_of_messages_is_answered_in_order() {
    let mut server = start();
    let (mut client, _) = server.connect("jo").await;
    for _ in 0..500 {
        client.feed(Message::text(r#"{"action":"ack","sequences":[]}"#)).await.unwrap();
        client.feed(Message::Ping("p".into())).await.unwrap();
    }
    client.flush().await.unwrap();
    let (mut answers, mut pongs) = (0, 0);
    while answers < 500 || pongs == 0 {
        match within(client.next()).await.unwrap().unwrap() {
            Message::Text(_) => answers += 1,
            Message::Pong(payload) => {
                assert_eq!(payload, "p");
                pongs += 1;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn subprotocol_is_echoed_and_stage_is_an_endpoint() {
    let server = start();
    let issued = server.post("/v1/token", r#"{"userId":"jo"}"#).await.json();
    let subprotocols = format!("tidings.v1, token.{}", issued["token"].as_str().unwrap());
    let mut request = format!("ws://{}/prod", server.address).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", subprotocols.parse().unwrap());
    let (_client, response) = tokio_tungstenite::connect_async(request).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "tidings.v1");
    let rows = server.registry.list(&UserId::new("jo").unwrap()).await.unwrap();
    assert_eq!(rows[0].format, contract_connections_v1::FrameFormat::Batch);
}

/// Clients of other gateways use such addresses: a local server without a path, and a stage with a slash.
#[tokio::test]
async fn root_and_trailing_slash_are_endpoints() {
    let settings = Settings { pages: false, ..Settings::default() };
    let server = start_with(settings, Limits::default(), None);
    for path in ["/", "/ws/", "/prod/"] {
        let url = format!("ws://{}{path}?client_id=jo", server.address);
        tokio_tungstenite::connect_async(url).await.unwrap_or_else(|error| panic!("{path}: {error}"));
        let (status, word) = if path == "/ws/" { (426, "WebSocket client") } else { (404, "/ws") };
        server.get(path).await.require_problem(status, &[word]);
    }
}

#[tokio::test]
async fn refused_handshakes_have_their_status() {
    let server = start();
    let upgrade = [
        "upgrade: websocket",
        "connection: keep-alive, Upgrade",
        "sec-websocket-version: 13",
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let send = async |path, headers: &[&str]| server.send("GET", path, headers, b"").await;
    server.get("/ws").await.require_problem(426, &["WebSocket client"]);
    send("/ws", &upgrade).await.require_problem(401, &["there is no credential"]);
    send("/ws?client_id=j%09o", &upgrade).await.require_problem(403, &["client_id", "'\\t'", "position 1"]);
    send("/ws?token=abcd", &upgrade).await.require_problem(403, &["Forbidden", "log", "request id"]);
    send("/ws?client_id=jo&format=xml", &upgrade).await.require_problem(400, &["xml", "batch"]);
    send("/ws?client_id=jo&protocol=v9", &upgrade).await.require_problem(400, &["v9", "tidings.v1"]);
    let version = [upgrade[0], upgrade[1], "sec-websocket-version: 8", upgrade[3]];
    let answer = send("/ws?client_id=jo", &version).await;
    answer.require_problem(426, &["13"]);
    assert_eq!(answer.header("sec-websocket-version"), Some("13"));
    let key = [upgrade[0], upgrade[1], upgrade[2], "sec-websocket-key: short"];
    send("/ws?client_id=jo", &key).await.require_problem(400, &["Sec-WebSocket-Key", "16 bytes"]);
    send("/ws?client_id=jo", &[upgrade[0], upgrade[2], upgrade[3]])
        .await
        .require_problem(400, &["Connection"]);
    assert!(server.registry.list(&UserId::new("jo").unwrap()).await.unwrap().is_empty());
}

#[tokio::test]
async fn connects_per_second_are_limited() {
    let settings = Settings { connects_per_second: Some(2), ..Settings::default() };
    let mut server = start_with(settings, Limits::default(), None);
    let _first = server.connect("jo").await;
    let _second = server.connect("jo").await;
    let url = format!("ws://{}/ws?client_id=jo", server.address);
    let error = tokio_tungstenite::connect_async(url).await.unwrap_err();
    assert!(error.to_string().contains("429"), "{error}");
}

#[tokio::test]
async fn unknown_action_is_answered_with_known_ones() {
    let mut server = start();
    let (mut client, _) = server.connect("jo").await;
    let (code, message) = refusal(&mut client, Message::text(r#"{"action":"dance"}"#)).await;
    assert_eq!(code, ErrorCode::UnknownAction);
    assert!(message.contains("ping, ack"), "{message}");
}

#[tokio::test]
async fn binary_frame_is_refused_without_a_close() {
    let mut server = start();
    let (mut client, _) = server.connect("jo").await;
    let (code, message) = refusal(&mut client, Message::binary(vec![1, 2])).await;
    assert_eq!(code, ErrorCode::BadRequest);
    assert!(message.contains("text frames"), "{message}");
    client.send(Message::text(r#"{"action":"ping"}"#)).await.unwrap();
    assert_eq!(frame(&mut client).await, ServerFrame::Pong { message: None, heartbeat: None });
}

#[tokio::test]
async fn oversized_message_closes_with_1009() {
    let mut server = start();
    let (mut client, _) = server.connect("jo").await;
    // The server stops reading in the middle of it.
    let _ = client.send(Message::text("x".repeat(128 * 1024 + 1))).await;
    assert_eq!(close_code(&mut client).await, CloseCode::Size);
    server.until_connections("jo", 0).await;
}

#[tokio::test]
async fn like_aws_frames_are_limited_to_32_kib() {
    let mut server = start_with(Settings::default(), Limits::default().like_aws(), None);
    let (mut client, key) = server.connect("jo").await;
    let long = "x".repeat(100 * 1024);
    let pushed =
        server.registry.push(&key.user_id, &key.connection_id, vec![Bytes::from(long.clone()).into()]);
    assert_eq!(within(pushed).await.accepted, 1);
    assert_eq!(within(client.next()).await.unwrap().unwrap(), Message::text(long));
    let _ = client.send(Message::text("x".repeat(32 * 1024 + 1))).await;
    assert_eq!(close_code(&mut client).await, CloseCode::Size);
}

/// A client that writes its own bytes.
async fn raw_client(server: &mut TestServer) -> TcpStream {
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let head = "GET /ws?client_id=raw HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(within(socket.read_u8()).await.unwrap());
    }
    let answer = String::from_utf8(answer).unwrap();
    // The example of RFC 6455.
    assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
    server.inserted.recv().await.unwrap();
    socket
}

/// Sends bytes and returns the code of the server's close frame.
async fn answer_to(bytes: &[u8]) -> u16 {
    let mut server = start();
    let mut socket = raw_client(&mut server).await;
    socket.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = async {
        while answer.len() < 4 {
            answer.push(socket.read_u8().await.unwrap());
        }
    };
    within(read).await;
    assert_eq!(answer[0], 0x88, "no close frame: {answer:?}");
    u16::from_be_bytes([answer[2], answer[3]])
}

#[tokio::test]
async fn malformed_utf8_closes_with_1007() {
    assert_eq!(answer_to(&[0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe]).await, 1007);
}

#[tokio::test]
async fn unmasked_frame_closes_with_1002() {
    assert_eq!(answer_to(&[0x81, 2, b'h', b'i']).await, 1002);
}

#[tokio::test]
async fn reserved_opcode_closes_with_1002() {
    assert_eq!(answer_to(&[0x83, 0x80, 0, 0, 0, 0]).await, 1002);
}

#[tokio::test]
async fn length_of_2_to_the_63_closes_with_1009() {
    assert_eq!(
        answer_to(&[0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]).await,
        1009
    );
}

#[tokio::test]
async fn frame_sent_with_the_handshake_is_read() {
    let server = start();
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let head = "GET /ws?client_id=raw HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut bytes = head.as_bytes().to_vec();
    let ping = br#"{"action":"ping"}"#;
    bytes.extend([0x81, 0x80 | u8::try_from(ping.len()).unwrap(), 0, 0, 0, 0]);
    bytes.extend(ping);
    socket.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    within(async {
        while !String::from_utf8_lossy(&answer).ends_with(r#"{"type":"pong"}"#) {
            answer.push(socket.read_u8().await.unwrap());
        }
    })
    .await;
}

/// The runtime's edge. It remembers the reported ends of connections, and may close each connection before its socket
/// opens, as the user's next connection would.
struct WatchedEdge {
    inner: <tidings_gateway::runtime::RuntimePorts as Ports>::ClientEdge,
    disconnected: Arc<Mutex<Vec<ConnectionKey>>>,
    closes: Option<Registry>,
    gate: Option<Arc<Gate>>,
}

/// Holds up a connection that is being opened.
#[derive(Default)]
struct Gate {
    reached: Notify,
    open: Notify,
}

impl ClientEdge for WatchedEdge {
    async fn authorize(&self, handshake: &Handshake) -> Result<Principal, Refusal> {
        self.inner.authorize(handshake).await
    }

    async fn connect(
        &self,
        principal: &Principal,
        request: ConnectRequest,
    ) -> Result<Admission, ConnectError> {
        let admission = self.inner.connect(principal, request).await?;
        if let Some(registry) = &self.closes {
            ws_edge::ports::Connections::close(registry, &ConnectionKey::from(&admission.row)).await?;
        }
        if let Some(gate) = &self.gate {
            gate.reached.notify_one();
            gate.open.notified().await;
        }
        Ok(admission)
    }

    async fn message(&self, principal: &Principal, request: MessageRequest<'_>) -> Option<ServerFrame> {
        self.inner.message(principal, request).await
    }

    fn confirm(&self, principal: &Principal, sequences: &[Sequence]) {
        self.inner.confirm(principal, sequences);
    }

    async fn disconnect(
        &self,
        principal: &Principal,
        id: &ConnectionId,
        opened_at: Timestamp,
    ) -> Result<(), PortError> {
        let key = ConnectionKey { user_id: principal.user_id.clone(), connection_id: id.clone() };
        self.disconnected.lock().unwrap().push(key);
        self.inner.disconnect(principal, id, opened_at).await
    }
}

fn start_watched(closes: bool, gate: Option<Arc<Gate>>) -> (TestServer, Arc<Mutex<Vec<ConnectionKey>>>) {
    let disconnected = Arc::<Mutex<Vec<ConnectionKey>>>::default();
    let server = start_replacing(|real, registry| {
        let closes = closes.then(|| registry.clone());
        let watch = |inner| WatchedEdge { inner, disconnected: Arc::clone(&disconnected), closes, gate };
        replace(real, identity, watch, identity, identity, identity)
    });
    (server, disconnected)
}

#[tokio::test]
async fn connection_closed_before_its_socket_is_forgotten() {
    let (mut server, disconnected) = start_watched(true, None);
    let (mut client, key) = server.connect("jo").await;
    while let Some(Ok(_)) = within(client.next()).await {}
    within(async {
        while !disconnected.lock().unwrap().contains(&key) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn client_gone_during_its_handshake_is_forgotten() {
    let gate = Arc::<Gate>::default();
    let (server, disconnected) = start_watched(false, Some(Arc::clone(&gate)));
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let handshake = "GET /ws?client_id=jo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(handshake.as_bytes()).await.unwrap();
    within(gate.reached.notified()).await;
    // The server's task of this socket sees the end, and drops the handshake's future.
    socket.shutdown().await.unwrap();
    assert_eq!(within(socket.read(&mut [0])).await.unwrap(), 0);
    gate.open.notify_one();
    within(async {
        while disconnected.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    server.until_connections("jo", 0).await;
}

#[tokio::test]
async fn close_of_client_is_answered_and_deletes_row() {
    let (mut server, disconnected) = start_watched(false, None);
    let (mut client, key) = server.connect("jo").await;
    client.close(None).await.unwrap();
    while let Some(Ok(_)) = within(client.next()).await {}
    server.until_connections("jo", 0).await;
    let pushed = within(server.registry.push(&key.user_id, &key.connection_id, vec!["x".into()])).await;
    assert!(matches!(pushed.error, Some(PushError::Gone)));
    within(async {
        while disconnected.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(server.registry.open_sockets(), 0);
}
