//! Requests that begin and never end.

use futures_util::future::join_all;

use crate::support::{Bystander, Server, read_to_close, send_raw};

const SOCKETS: usize = 200;

#[tokio::test]
async fn half_a_head_is_closed_and_harmless() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[("TIDINGS_SERVER__HEADER_TIMEOUT", "1s")]).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    let before = server.resident_bytes();
    let half = b"GET /ws HTTP/1.1\r\nHost: localhost\r\nX-Half: ";
    let sockets = join_all((0..SOCKETS).map(|_| send_raw(server.address(), half))).await;
    bystander.is_served(20).await;
    let taken = server.resident_bytes().saturating_sub(before);
    assert!(taken < 64 * 1024 * 1024, "{SOCKETS} half requests take {taken} bytes");
    for answer in join_all(sockets.into_iter().map(read_to_close)).await {
        assert!(!answer.contains(" 101 "), "{answer}");
    }
    assert!(server.metric("tidings_open_connections").await >= 1.0);
    bystander.is_served(20).await;
}
