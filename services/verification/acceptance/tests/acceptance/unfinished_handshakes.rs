//! Sockets that are opened and send nothing.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use tidings::open_files::raise_limit;
use tidings_client::ListenerConfig;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::support::{Server, TIMEOUT, next, notification, user};

const SOCKETS: usize = 10_000;

#[tokio::test]
async fn unfinished_handshakes_are_closed_and_harmless() {
    let limit = raise_limit();
    assert!(
        limit.is_none_or(|limit| limit > SOCKETS as u64 + 100),
        "this test needs {SOCKETS} open files but only {limit:?} are allowed: raise ulimit -n"
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
            // The socket ends without an answer, with 408 or by a reset.
            let _ = socket.read_to_end(&mut Vec::new()).await;
        }
    };
    tokio::time::timeout(TIMEOUT, closed).await.expect("the server closes them");
    // The listener's WebSocket stays open.
    let accepted = server.gateway().send(&notification(&alice, &json!("still there"))).await.unwrap();
    assert_eq!(next(&mut listener).await.sequence, accepted.sequence);
}
