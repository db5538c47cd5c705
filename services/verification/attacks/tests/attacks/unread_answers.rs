//! Clients that send requests and read no answers.

use futures_util::future::join_all;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;

use crate::support::{Bystander, Server, TIMEOUT, read_to_close};

/// All places but a few: the bystander needs some.
const PLACES: usize = 40;

#[tokio::test]
async fn pipelines_that_read_nothing_are_closed() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [("TIDINGS_SERVER__MAX_HTTP_CONNECTIONS", "48"), ("TIDINGS_SERVER__WRITE_TIMEOUT", "1s")];
    let server = Server::start(directory.path(), &settings).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    let request = "GET /console/ HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(200);
    let attack = async || {
        let socket = TcpSocket::new_v4().unwrap();
        // A small window, so that few answers fit.
        socket.set_recv_buffer_size(4096).unwrap();
        let mut socket = socket.connect(server.address().parse().unwrap()).await.unwrap();
        // It sends until the server takes no more, and reads nothing.
        let flood = async { while socket.write_all(request.as_bytes()).await.is_ok() {} };
        let _ = tokio::time::timeout(TIMEOUT, flood).await;
        socket
    };
    let attacks = join_all((0..PLACES).map(|_| attack()));
    let (sockets, ()) = tokio::join!(attacks, bystander.is_served(20));
    assert!(server.metric("tidings_http_connections_late_total").await >= 1.0);
    // All are closed by the server, so their places are free again.
    join_all(sockets.into_iter().map(read_to_close)).await;
    bystander.is_served(20).await;
}
