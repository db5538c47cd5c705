//! A connect token opens one connection.

use futures_util::StreamExt as _;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;

use crate::support::{Server, user};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn token_opens_one_of_1000_concurrent_connections() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path()).await;
    let gateway = server.gateway();
    let token = gateway.token(&user("alice")).await.unwrap().token;
    let url = format!("{}?token={token}", gateway.web_socket_url());
    let attempts = futures_util::stream::iter(0..1_000).map(|_| connect_async(url.as_str()));
    let results: Vec<_> = attempts.buffer_unordered(1_000).collect().await;
    let mut connected = 0;
    for result in &results {
        match result {
            Ok(_) => connected += 1,
            Err(Error::Http(response)) => assert_eq!(response.status(), 403),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((connected, results.len()), (1, 1_000));
}
