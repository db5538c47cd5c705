//! Requests that a page of somebody else may have caused, and the headers that keep answers from being misused.

use serde_json::json;
use tidings_gateway::server::{Front, OwnPages, ReloadRequest, Settings, TlsFiles, TlsReloader};
use tidings_sockets::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::test_server::{TestServer, start, start_with, start_with_tls, tls_connector, within};

/// A server that asks nobody for a credential.
fn start_development() -> TestServer {
    let own_pages = Some(OwnPages { because: "handshake.open = true".to_owned(), ..OwnPages::default() });
    let front = Front { own_pages, ..Front::default() };
    start_with(Settings { front, authenticate: false, ..Settings::default() }, Limits::default(), None)
}

const HANDSHAKE: &str = "connection: close, upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[tokio::test]
async fn page_of_another_origin_connects_as_nobody() {
    let mut server = start_development();
    let handshake = |host: &str, more: &str| {
        format!("GET /ws?client_id=alice HTTP/1.1\r\nhost: {host}\r\n{HANDSHAKE}{more}\r\n")
    };
    let foreign = server.exchange(&handshake("localhost", "origin: https://evil.example\r\n")).await;
    foreign.require_problem(403, &["https://evil.example", "handshake.open"]);
    // A name of a stranger that leads to this machine (DNS rebinding).
    let rebound = server.exchange(&handshake("evil.example", "origin: http://evil.example\r\n")).await;
    rebound.require_problem(403, &["evil.example", "public_host"]);
    let sandboxed = server.exchange(&handshake("localhost", "origin: null\r\n")).await;
    sandboxed.require_problem(403, &["null"]);
    server.connect("alice").await;
}

#[tokio::test]
async fn page_of_another_origin_sends_nothing() {
    let server = start_development();
    let body = json!({"userId": "alice", "payload": 1}).to_string();
    let answer =
        server.send("POST", "/v1/notifications", &["origin: https://evil.example"], body.as_bytes()).await;
    answer.require_problem(403, &["Origin"]);
    assert!(server.take_queued().is_empty());
    assert_eq!(server.send("POST", "/v1/notifications", &[], body.as_bytes()).await.status, 202);
}

#[tokio::test]
async fn origin_beyond_ascii_is_refused() {
    let server = start();
    let request =
        "GET /v1/info HTTP/1.1\r\nhost: x\r\nconnection: close\r\norigin: https://ex\u{e4}mple.com\r\n\r\n";
    server.exchange(request).await.require_problem(400, &["Origin", "ASCII"]);
}

#[tokio::test]
async fn answers_are_neither_stored_nor_sniffed() {
    let server = start();
    for path in ["/v1/users", "/v1/dead-letters", "/healthz", "/nowhere/at/all"] {
        let answer = server.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(answer.header("strict-transport-security"), None, "{path}");
    }
    let keys = server.get("/.well-known/jwks.json").await;
    assert_eq!(keys.header("cache-control"), Some("public, max-age=300"));
}

/// Sends a request over TLS and returns the answer's text.
async fn over_tls(server: &TestServer, connector: &tokio_rustls::TlsConnector, host: &str) -> String {
    let socket = TcpStream::connect(server.address).await.unwrap();
    let mut stream = connector.connect("localhost".try_into().unwrap(), socket).await.unwrap();
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = within(stream.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn browsers_are_told_to_stay_with_tls() {
    let (server, connector) = start_with_tls();
    let answer = over_tls(&server, &connector, "push.example.com").await;
    assert!(answer.contains("strict-transport-security: max-age=31536000"), "{answer}");
    assert!(!over_tls(&server, &connector, "localhost").await.contains("strict-transport-security"));
}

#[tokio::test]
async fn certificate_is_replaced_without_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let files =
        TlsFiles { certificate: directory.path().join("cert.pem"), key: directory.path().join("key.pem") };
    let write = |certified: &rcgen::CertifiedKey<rcgen::KeyPair>| {
        std::fs::write(&files.certificate, certified.cert.pem()).unwrap();
        std::fs::write(&files.key, certified.signing_key.serialize_pem()).unwrap();
    };
    let make = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (first, second) = (make(), make());
    write(&first);
    let keys = files.load().unwrap();
    let server = start_with(Settings::default(), Limits::default(), Some(keys.clone()));
    let requests = ReloadRequest::default();
    let reloader = TlsReloader { files: files.clone(), keys, requests: requests.clone() };
    let reloading = tokio::spawn(reloader.run(std::future::pending()));
    let trusts = async |certified| {
        let socket = TcpStream::connect(server.address).await.unwrap();
        tls_connector(certified).connect("localhost".try_into().unwrap(), socket).await.is_ok()
    };
    assert!(trusts(&first).await && !trusts(&second).await);
    // A key that doesn't belong to the certificate leaves the old ones in use.
    std::fs::write(&files.certificate, second.cert.pem()).unwrap();
    requests.send();
    assert!(trusts(&first).await);
    write(&second);
    requests.send();
    within(async {
        while !trusts(&second).await {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!trusts(&first).await);
    reloading.abort();
}

#[tokio::test]
async fn metrics_need_a_credential_or_a_listener_of_their_own() {
    let server = start();
    server
        .send("GET", "/metrics", &["authorization: Bearer wrong"], b"")
        .await
        .require_problem(403, &["API key"]);
    let request = "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    server.exchange(request).await.require_problem(401, &["credential"]);

    let settings = Settings { metrics_listen: Some(([127, 0, 0, 1], 0).into()), ..Settings::default() };
    let server = start_with(settings, Limits::default(), None);
    let address = server.metrics_address.unwrap();
    let get = async |path: &str| {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within(socket.read_to_string(&mut answer)).await.unwrap();
        answer
    };
    assert!(get("/healthz").await.starts_with("HTTP/1.1 200"));
    // The test's server records none.
    assert!(get("/metrics").await.starts_with("HTTP/1.1 503"));
    for path in ["/v1/users", "/v1/dead-letters", "/ws"] {
        assert!(get(path).await.starts_with("HTTP/1.1 404"), "{path}");
    }
}
