//! Bodies of callers who are not authenticated.

use futures_util::future::join_all;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::{Bystander, Server, read_to_close, send_raw};

const MIB: usize = 1024 * 1024;

/// Sends a request's head and then as much of a body as the server takes. Returns the answer.
async fn send_body(address: &str, head: &str, bytes: usize) -> String {
    let head = format!("{head}Host: localhost\r\nConnection: close\r\nContent-Length: {bytes}\r\n\r\n");
    let mut socket: TcpStream = send_raw(address, head.as_bytes()).await;
    let chunk = vec![b' '; 64 * 1024];
    for _ in 0..bytes / chunk.len() {
        // The server closes the connection when it has refused the request.
        if socket.write_all(&chunk).await.is_err() {
            break;
        }
    }
    read_to_close(socket).await
}

#[tokio::test]
async fn signed_head_is_checked_before_the_body() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    let before = server.resident_bytes();
    let head = "POST /v1/notifications HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 x\r\n";
    let attack = join_all((0..24).map(|_| send_body(server.address(), head, 16 * MIB)));
    let (answers, ()) = tokio::join!(attack, bystander.is_served(20));
    for answer in answers {
        // A reset may destroy the answer.
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 403"), "{answer}");
    }
    let taken = server.resident_bytes().saturating_sub(before);
    assert!(taken < 64 * MIB as u64, "24 bodies of 16 MiB took {taken} bytes");
    assert!(server.metric("tidings_unknown_bodies_refused_total").await == 0.0);
}

#[tokio::test]
async fn bodies_of_logins_have_one_bound() {
    let directory = tempfile::tempdir().unwrap();
    let settings =
        [("TIDINGS_LIMITS__UNKNOWN_BODY_BYTES", "1048576"), ("TIDINGS_SERVER__BODY_TIMEOUT", "5s")];
    let server = Server::start(directory.path(), &settings).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    // Each sends all of its body but the last byte.
    let body = "x".repeat(15_999);
    let head =
        "POST /v1/login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 16000\r\n\r\n";
    let request = format!("{head}{body}");
    let sockets = join_all((0..40).map(|_| send_raw(server.address(), request.as_bytes()))).await;
    bystander.is_served(20).await;
    let answers = join_all(sockets.into_iter().map(read_to_close)).await;
    let with = |status: &str| answers.iter().filter(|answer| answer.starts_with(status)).count();
    // A quarter of the bound, for one address, is 16 of these bodies. Fewer end whole when parts of many come first.
    let timed_out = with("HTTP/1.1 408");
    assert!((1..=16).contains(&timed_out), "{answers:?}");
    for answer in answers.iter().filter(|answer| !answer.starts_with("HTTP/1.1 408")) {
        // A reset may destroy the answer.
        let refused = answer.starts_with("HTTP/1.1 503") && answer.to_lowercase().contains("retry-after: 1");
        assert!(answer.is_empty() || refused, "{answer}");
    }
    assert!(server.metric("tidings_unknown_bodies_refused_total").await >= 24.0);
}
