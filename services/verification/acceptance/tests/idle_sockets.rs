//! Sockets that are opened and never say anything.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod support;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use support::{PATIENCE, Server, next, notification, user};
use tidings::open_files::raise_limit;
use tidings_client::ListenerConfig;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

const SOCKETS: usize = 10_000;

#[tokio::test]
async fn ten_thousand_that_never_finish_the_handshake_hold_up_nobody_and_are_closed() {
    let limit = raise_limit();
    assert!(
        limit.is_none_or(|limit| limit > SOCKETS as u64 + 100),
        "this test needs {SOCKETS} open files, and {limit:?} are allowed; see ulimit -n"
    );
    let directory = tempfile::tempdir().unwrap();
    let settings = [("TIDINGS_SERVER__HEADER_TIMEOUT", "5s")];
    let server = Server::start_with(directory.path(), &settings).await;
    let address = server.url.trim_start_matches("http://").to_owned();
    let open = stream::iter(0..SOCKETS).map(|_| TcpStream::connect(address.as_str()));
    let idle: Vec<TcpStream> = open.buffer_unordered(200).try_collect().await.unwrap();

    let alice = user("alice");
    let mut listener = server.listen(&alice, ListenerConfig::default());
    let accepted = server.gateway().send(&notification(&alice, &json!("hello"))).await.unwrap();
    assert_eq!(next(&mut listener).await.sequence, accepted.sequence);

    let closed = async {
        for mut socket in idle {
            // Without an answer, or with 408; a reset is an end too.
            let _ = socket.read_to_end(&mut Vec::new()).await;
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.expect("the server closes them");
    // The WebSocket is not closed.
    let accepted = server.gateway().send(&notification(&alice, &json!("still there"))).await.unwrap();
    assert_eq!(next(&mut listener).await.sequence, accepted.sequence);
}
