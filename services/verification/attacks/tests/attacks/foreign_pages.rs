//! Pages of strangers in the browser of a developer, whose server asks nobody for a credential.

use futures_util::future::join_all;

use crate::support::{Bystander, Server, read_to_close, send_raw};

const UPGRADE: &str = "Connection: close, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A page elsewhere opens WebSockets and sends notifications as everybody. So does one whose name leads to this machine
/// (DNS rebinding).
#[tokio::test]
async fn page_of_a_stranger_reaches_nothing_in_development() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [("TIDINGS_HANDSHAKE__OPEN", "true"), ("TIDINGS_SERVER__AUTHENTICATE", "false")];
    let server = Server::start(directory.path(), &settings).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    let address = server.address();
    let body = r#"{"userId":"alice","message":"forged"}"#;
    let mut requests = Vec::new();
    for (host, origin) in [
        (address, "https://evil.example"),
        (address, "null"),
        ("evil.example", "http://evil.example"),
        ("127.0.0.1.evil.example", "http://127.0.0.1.evil.example"),
    ] {
        let from = format!("Host: {host}\r\nOrigin: {origin}\r\n");
        requests.push(format!("GET /ws?client_id=alice HTTP/1.1\r\n{from}{UPGRADE}\r\n"));
        // A form of a page needs no permission to send text.
        requests.push(format!(
            "POST /v1/notifications HTTP/1.1\r\n{from}Content-Type: text/plain\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        requests.push(format!("GET /v1/dead-letters HTTP/1.1\r\n{from}Connection: close\r\n\r\n"));
    }
    let attack = join_all(requests.iter().cycle().take(240).map(|request| async move {
        let answer = read_to_close(send_raw(address, request.as_bytes()).await).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{request}\n{answer}");
    }));
    // The bystander gets its own notifications alone, in order.
    let (_, ()) = tokio::join!(attack, bystander.is_served(20));
}
