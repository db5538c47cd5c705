//! Suite of the client that fetches issuers' key sets over HTTP.

use auth_token::ports::{KeySets, MAX_KEY_SET_BYTES};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::unused_port::UnusedPort;

/// Runs the suite against a server of its own.
pub async fn all<F: KeySets>(key_sets: &F) {
    let base = serve().await;
    let fetch = |path: &'static str| {
        let url = format!("{base}{path}");
        async move { key_sets.fetch(&url).await }
    };
    for _ in 0..2 {
        assert_eq!(fetch("/ok").await.unwrap(), b"{\"keys\":[]}");
    }
    assert_eq!(fetch("/chunked").await.unwrap(), b"one two");
    assert_eq!(fetch("/largest").await.unwrap().len(), MAX_KEY_SET_BYTES);
    for path in
        ["/too-large", "/endless", "/redirect", "/missing", "/no-content", "/failed", "/cut", "/no-http"]
    {
        let error = fetch(path).await.expect_err(path);
        assert!(error.is_retryable(), "{path}: {error}");
    }
    let port = UnusedPort::new();
    assert!(key_sets.fetch(&format!("{}/", port.url())).await.unwrap_err().is_retryable());
}

/// Checks that the adapter gives up on a server that does not answer. Its timeout should be short.
pub async fn gives_up<F: KeySets>(key_sets: &F) {
    let base = serve().await;
    for path in ["/silent", "/stuck"] {
        assert!(key_sets.fetch(&format!("{base}{path}")).await.unwrap_err().is_retryable(), "{path}");
    }
}

async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(answer(socket));
        }
    });
    base
}

/// Answers one request. A client may close the connection before the end of the answer.
async fn answer(mut socket: TcpStream) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let path = head.strip_prefix("GET ")?.split(' ').next()?;
    let whole = |status: &str, length: usize| {
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n")
    };
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    let text = match path {
        "/ok" => format!("{}{{\"keys\":[]}}", whole("200 OK", 11)),
        "/chunked" => format!("{chunked}4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n"),
        "/largest" => whole("200 OK", MAX_KEY_SET_BYTES) + &"x".repeat(MAX_KEY_SET_BYTES),
        "/too-large" => whole("200 OK", MAX_KEY_SET_BYTES + 1) + &"x".repeat(MAX_KEY_SET_BYTES + 1),
        "/redirect" => "HTTP/1.1 302 Found\r\nlocation: /ok\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "/no-content" => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        "/failed" => whole("500 Internal Server Error", 11) + "{\"keys\":[]}",
        "/cut" => whole("200 OK", 11) + "{\"keys\"",
        "/no-http" => "hello\r\n\r\n".to_owned(),
        "/endless" | "/stuck" => chunked.to_owned(),
        "/silent" => String::new(),
        _ => whole("404 Not Found", 11) + "{\"keys\":[]}",
    };
    socket.write_all(text.as_bytes()).await.ok()?;
    if path == "/endless" {
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
        loop {
            socket.write_all(chunk.as_bytes()).await.ok()?;
        }
    }
    if matches!(path, "/silent" | "/stuck") {
        // Waits until the client closes.
        while socket.read(&mut [0; 64]).await.ok()? > 0 {}
    }
    socket.shutdown().await.ok()
}
