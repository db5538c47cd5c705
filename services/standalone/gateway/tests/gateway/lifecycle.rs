//! Connections without a request, TLS, and shutdown.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use rustls::pki_types::ServerName;
use tidings_gateway::server::{Settings, TlsError, TlsFiles};
use tidings_sockets::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::test_server::{Answer, TestServer, start, start_with, tls_connector, within};

#[tokio::test]
async fn unfinished_handshakes_are_closed() {
    let settings = Settings { header_timeout: Duration::from_millis(300), ..Settings::default() };
    let mut server = start_with(settings, Limits::default(), None);
    let mut idle = Vec::new();
    for _ in 0..200 {
        idle.push(TcpStream::connect(server.address).await.unwrap());
    }
    let (_client, key) = server.connect("jo").await;
    assert_eq!(key.user_id.as_str(), "jo");
    for mut socket in idle {
        // Closed without an answer, or with 408.
        within(socket.read_to_end(&mut Vec::new())).await.unwrap();
    }
    // The WebSocket stays open.
    server.until_connections("jo", 1).await;
}

#[tokio::test]
async fn oversized_head_is_refused() {
    let server = start();
    let answer = server.send("GET", "/healthz", &[&format!("cookie: {}", "x".repeat(40_000))], b"").await;
    assert_eq!(answer.status, 431);
}

#[tokio::test]
async fn missing_body_times_out() {
    let settings = Settings { body_timeout: Duration::from_millis(100), ..Settings::default() };
    let server = start_with(settings, Limits::default(), None);
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /v1/notifications HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 9\r\n\r\n{{",
        server.key
    );
    let mut answer = Vec::new();
    within(async {
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.read_to_end(&mut answer).await.unwrap();
    })
    .await;
    Answer::parse(&answer).require_problem(408, &["within"]);
}

#[tokio::test]
async fn http_connections_are_limited_without_websockets() {
    let settings = Settings { max_http_connections: 2, ..Settings::default() };
    let mut server = start_with(settings, Limits::default(), None);
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(server.connect("jo").await);
    }
    let _one = TcpStream::connect(server.address).await.unwrap();
    let _two = TcpStream::connect(server.address).await.unwrap();
    within(async {
        loop {
            let mut three = TcpStream::connect(server.address).await.unwrap();
            let read = tokio::time::timeout(Duration::from_millis(50), three.read_u8()).await;
            if matches!(read, Ok(Err(_))) {
                return;
            }
        }
    })
    .await;
}

/// Of eight files, one is the store's, and WebSockets may take four.
#[tokio::test]
async fn web_sockets_leave_files_to_producers() {
    let settings = Settings { open_files: Some(8), ..Settings::default() };
    let mut server = start_with(settings, Limits::default(), None);
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(server.connect("jo").await);
    }
    let connect = async |server: &TestServer| {
        tokio_tungstenite::connect_async(format!("ws://{}/ws?client_id=al", server.address)).await
    };
    let Err(Error::Http(answer)) = connect(&server).await else { panic!("it was not refused") };
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    let body = r#"{"userId":"jo","message":"hello"}"#;
    assert_eq!(server.post("/v1/notifications", body).await.status, 202);
    drop(clients.pop());
    within(Box::pin(async { while connect(&server).await.is_err() {} })).await;
}

#[tokio::test]
async fn last_files_are_not_given_to_connections() {
    let settings = Settings { open_files: Some(8), ..Settings::default() };
    let server = start_with(settings, Limits::default(), None);
    let mut connections = Vec::new();
    for _ in 0..8 {
        connections.push(TcpStream::connect(server.address).await.unwrap());
    }
    let last = connections.last_mut().unwrap();
    assert_eq!(within(last.read(&mut [0; 1])).await.unwrap_or_default(), 0, "it was closed at once");
}

#[tokio::test]
async fn shutdown_closes_websockets_with_1001() {
    let mut server = start();
    let (mut client, _) = server.connect("jo").await;
    server.stop();
    let Message::Close(Some(close)) = within(client.next()).await.unwrap().unwrap() else {
        panic!("not closed")
    };
    assert_eq!(close.code, CloseCode::Away);
    while let Some(Ok(_)) = within(client.next()).await {}
    let address = server.address;
    let registry = server.registry.clone();
    server.stopped().await;
    assert_eq!(registry.open_sockets(), 0);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn shutdown_ends_after_its_timeout() {
    let settings = Settings { shutdown_timeout: Duration::from_millis(50), ..Settings::default() };
    let mut server = start_with(settings, Limits::default(), None);
    // A client that does not answer the close frame, because it does not read.
    let (_client, _) = server.connect("jo").await;
    server.stop();
    server.stopped().await;
}

#[tokio::test]
async fn certificate_and_key_are_read_from_files() {
    let directory = tempfile::tempdir().unwrap();
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let rcgen::CertifiedKey { cert, signing_key } = &certified;
    let files =
        TlsFiles { certificate: directory.path().join("cert.pem"), key: directory.path().join("key.pem") };
    let error = files.load().unwrap_err();
    assert!(matches!(&error, TlsError::File { what: "a certificate", .. }), "{error}");
    std::fs::write(&files.certificate, cert.pem()).unwrap();
    std::fs::write(&files.key, "not a key").unwrap();
    let error = files.load().unwrap_err().to_string();
    assert!(error.contains("private key") && error.contains("key.pem"), "{error}");
    std::fs::write(&files.key, signing_key.serialize_pem()).unwrap();
    let keys = files.load().unwrap();
    assert_eq!(format!("{keys:?}"), "TlsKeys");

    let mut server = start_with(Settings::default(), Limits::default(), Some(keys));
    let socket = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = tls_connector(&certified).connect(name, socket).await.unwrap();
    let url = "wss://localhost/ws?client_id=jo";
    let (mut client, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    let key = server.inserted.recv().await.unwrap();
    let long = "x".repeat(100_000);
    let pushed = server.registry.push_to(&key.connection_id, long.clone().into());
    let (pushed, message) = within(futures_util::future::join(pushed, client.next())).await;
    pushed.unwrap();
    assert_eq!(message.unwrap().unwrap(), Message::text(long));
    client.send(Message::text(r#"{"action":"ping"}"#)).await.unwrap();
    assert_eq!(within(client.next()).await.unwrap().unwrap(), Message::text(r#"{"type":"pong"}"#));
    client.close(None).await.unwrap();
    while let Some(Ok(_)) = within(client.next()).await {}
    server.until_connections("jo", 0).await;
}
