//! What a proxy in front changes: the client's address, the host, the path, and the time that connections are kept. And
//! the requests that no proxy should send on.

use std::time::{Duration, Instant};

use axum::http::HeaderValue;
use tidings_gateway::server::{ForwardedHeader, Front, Settings};
use tidings_sockets::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::test_server::{TestServer, start, start_with, within};

const LINE: &str = "connection: close\r\n\r\n";

fn start_behind(front: Front) -> TestServer {
    start_with(Settings { front, ..Settings::default() }, Limits::default(), None)
}

/// A server that believes proxies on this machine.
fn local_proxy() -> Front {
    Front { trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()], ..Front::default() }
}

#[tokio::test]
async fn request_without_one_host_is_refused() {
    let server = start();
    let get = |version: &str, hosts: &str| format!("GET /healthz HTTP/{version}\r\n{hosts}{LINE}");
    for (hosts, words) in [
        ("", &["no header Host"]),
        ("host: a\r\nhost: a\r\n", &["more than one header Host"]),
        ("host: a b\r\n", &["not valid"]),
        ("host: jo@a\r\n", &["not valid"]),
        ("host: a/b\r\n", &["not valid"]),
    ] {
        server.exchange(&get("1.1", hosts)).await.require_problem(400, words);
    }
    server.exchange(&get("1.0", "host: a\r\nhost: a\r\n")).await.require_problem(400, &["more than one"]);
    for (version, hosts) in [
        ("1.0", ""),
        ("1.1", "host:\r\n"),
        ("1.1", "Host: a.example:8080\r\n"),
        ("1.1", "host: [::1]:8080\r\n"),
    ] {
        assert_eq!(server.exchange(&get(version, hosts)).await.status, 200, "{version} {hosts}");
    }
}

#[tokio::test]
async fn malformed_path_is_a_problem() {
    let server = start();
    for path in [
        "/v1/users/%ff",
        "/v1/users/jo/notifications/%ff",
        "/v1/history/%ff/messages",
        "/v1/dead-letters/%ff",
    ] {
        server.get(path).await.require_problem(400, &["path", "UTF-8"]);
    }
    server.post("/v1/dead-letters/%ff/redrive", "").await.require_problem(400, &["path", "UTF-8"]);
}

/// Connects with headers and returns the address that the server shows for the client.
async fn shown_address(server: &mut TestServer, headers: &[(&'static str, &'static str)]) -> String {
    let mut request = format!("ws://{}/ws?client_id=jo", server.address).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_static(value));
    }
    let (_client, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let key = within(server.inserted.recv()).await.unwrap();
    within(async {
        loop {
            let answer = server.get(&format!("/@connections/{}", key.connection_id)).await;
            // The peer is unknown until the socket opens.
            if let Some(address) =
                answer.json()["identity"]["sourceIp"].as_str().filter(|text| !text.is_empty())
            {
                return address.to_owned();
            }
        }
    })
    .await
}

#[tokio::test]
async fn client_is_who_a_trusted_proxy_says() {
    let headers = [("x-forwarded-for", "198.51.100.7, 203.0.113.5"), ("forwarded", "for=203.0.113.6")];
    let mut server = start_behind(local_proxy());
    assert_eq!(shown_address(&mut server, &headers).await, "203.0.113.5");
    assert_eq!(shown_address(&mut server, &[]).await, "127.0.0.1");
    let front = Front { forwarded_header: ForwardedHeader::Forwarded, ..local_proxy() };
    assert_eq!(shown_address(&mut start_behind(front), &headers).await, "203.0.113.6");
    let other = Front { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], ..Front::default() };
    assert_eq!(shown_address(&mut start_behind(other), &headers).await, "127.0.0.1");
    assert_eq!(shown_address(&mut start(), &headers).await, "127.0.0.1");
}

#[tokio::test]
async fn server_answers_below_its_base_path() {
    let mut server = start_behind(Front { base_path: "/apps/tidings".to_owned(), ..Front::default() });
    for path in ["/apps/tidings/healthz", "/healthz", "/apps/tidings/v1/info?a=b"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    server.get("/apps/tidingsx/healthz").await.require_problem(404, &["there is nothing at"]);
    server.get("/apps/tidings/nothing").await.require_problem(404, &["there is nothing at \"/nothing\""]);
    // Addresses in the pages are relative, so the slash counts.
    let answer = server.get("/apps/tidings").await;
    assert_eq!((answer.status, answer.header("location")), (308, Some("tidings/")));
    let answer = server.get("/apps/tidings/console").await;
    assert_eq!((answer.status, answer.header("location")), (308, Some("console/")));
    let url = format!("ws://{}/apps/tidings/ws?client_id=jo", server.address);
    let (_client, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let id = within(server.inserted.recv()).await.unwrap().connection_id;
    assert_eq!(server.post(&format!("/apps/tidings/@connections/{id}"), "hello").await.status, 200);
}

#[tokio::test]
async fn signature_survives_a_proxy() {
    const PATH: &str = "/v1/notifications";
    let body = r#"{"userId":"jo","payload":1}"#;
    // The request arrives with the host "test" and at PATH.
    let send = async |server: &TestServer, host: &str, path: &str, more: &[&str]| {
        let signed = server.sign(host, path, body);
        let headers: Vec<_> = signed.iter().map(String::as_str).chain(more.iter().copied()).collect();
        server.send("POST", PATH, &headers, body.as_bytes()).await
    };
    let forwarded = ["x-forwarded-host: push.example.com"];
    let server = start_behind(local_proxy());
    assert_eq!(send(&server, "push.example.com", PATH, &forwarded).await.status, 202);
    assert_eq!(send(&server, "test", PATH, &forwarded).await.status, 202);
    send(&server, "other.example.com", PATH, &forwarded).await.require_problem(403, &["signature"]);
    send(&server, "push.example.com", PATH, &[]).await.require_problem(403, &["signature"]);

    let server = start();
    send(&server, "push.example.com", PATH, &forwarded).await.require_problem(403, &["signature"]);

    let public_host = Some(HeaderValue::from_static("push.example.com"));
    let server = start_behind(Front { public_host, base_path: "/tidings".to_owned(), ..Front::default() });
    assert_eq!(send(&server, "push.example.com", PATH, &[]).await.status, 202);
    // The proxy has taken the base path off.
    assert_eq!(send(&server, "push.example.com", "/tidings/v1/notifications", &[]).await.status, 202);
    send(&server, "push.example.com", "/other/v1/notifications", &[])
        .await
        .require_problem(403, &["signature"]);
    // The proxy has passed the base path on.
    let signed = server.sign("test", "/tidings/v1/notifications", body);
    let headers: Vec<_> = signed.iter().map(String::as_str).collect();
    let answer = server.send("POST", "/tidings/v1/notifications", &headers, body.as_bytes()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
}

/// Sends a request and then `more`, and returns the time from the answer until the server closes the connection.
async fn kept(server: &TestServer, more: &str) -> Duration {
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    within(async {
        socket.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"ok\n") {
            assert_ne!(socket.read_buf(&mut answer).await.unwrap(), 0, "no answer");
        }
        let start = Instant::now();
        socket.write_all(more.as_bytes()).await.unwrap();
        // A connection with unread bytes is reset.
        let _ = socket.read_to_end(&mut answer).await;
        start.elapsed()
    })
    .await
}

#[tokio::test]
async fn idle_connection_outlives_the_limit_of_heads() {
    let settings = |keep_alive| Settings {
        header_timeout: Duration::from_millis(100),
        keep_alive: Duration::from_millis(keep_alive),
        ..Settings::default()
    };
    let server = start_with(settings(600), Limits::default(), None);
    assert!(kept(&server, "").await >= Duration::from_millis(500));
    // The head of a further request has its own limit.
    let server = start_with(settings(3_600_000), Limits::default(), None);
    kept(&server, "GET /healthz HTTP/1.1\r\n").await;
}
