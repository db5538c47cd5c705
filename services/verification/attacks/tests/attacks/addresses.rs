//! Floods from one address. The bystander has the same address, so its requests show who is excepted.

use std::time::Duration;

use futures_util::future::join_all;

use crate::support::{Bystander, Server, read_to_close, send_raw};

#[tokio::test]
async fn flood_of_requests_is_refused_for_its_address() {
    let directory = tempfile::tempdir().unwrap();
    let settings =
        [("TIDINGS_LIMITS__EXEMPT_LOOPBACK", "false"), ("TIDINGS_LIMITS__REQUESTS_PER_ADDRESS", "200/10m")];
    let server = Server::start(directory.path(), &settings).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    let http = server.http();
    let mut refused = 0;
    for _ in 0..300 {
        let answer = http.get(format!("{}/v1/info", server.url)).send().await.unwrap();
        if answer.status() == 429 {
            refused += 1;
            let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
            assert!(Duration::from_secs(wait) <= Duration::from_mins(10));
            let problem: serde_json::Value = answer.json().await.unwrap();
            assert_eq!(problem["type"], "urn:tidings:problem:too-many-requests");
        }
    }
    assert!((50..=150).contains(&refused), "{refused} were refused");
    drop(http);
    // Producers of the same address and open WebSockets go on.
    bystander.is_served(20).await;
}

#[tokio::test]
async fn producer_is_not_counted() {
    let directory = tempfile::tempdir().unwrap();
    let settings =
        [("TIDINGS_LIMITS__EXEMPT_LOOPBACK", "false"), ("TIDINGS_LIMITS__REQUESTS_PER_ADDRESS", "20/10m")];
    let server = Server::start(directory.path(), &settings).await;
    Bystander::start(&server, "alice").await.is_served(200).await;
}

#[tokio::test]
async fn connections_of_an_address_have_a_limit() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [
        ("TIDINGS_LIMITS__EXEMPT_LOOPBACK", "false"),
        ("TIDINGS_LIMITS__CONNECTIONS_PER_ADDRESS", "50"),
        ("TIDINGS_SERVER__HEADER_TIMEOUT", "2s"),
    ];
    let server = Server::start(directory.path(), &settings).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    bystander.is_served(1).await;
    let sockets = join_all((0..100).map(|_| send_raw(server.address(), b"GET /"))).await;
    // The producer's connection was open before.
    bystander.is_served(20).await;
    join_all(sockets.into_iter().map(read_to_close)).await;
    let refused = server.metric("tidings_address_limits_total").await;
    assert!((50.0..=60.0).contains(&refused), "{refused} were refused");
}

#[tokio::test]
async fn handshakes_and_web_sockets_have_limits() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [
        ("TIDINGS_LIMITS__EXEMPT_LOOPBACK", "false"),
        ("TIDINGS_LIMITS__HANDSHAKES_PER_ADDRESS", "30/10m"),
        ("TIDINGS_LIMITS__WEB_SOCKETS_PER_ADDRESS", "10"),
    ];
    let server = Server::start(directory.path(), &settings).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    let url = server.gateway().web_socket_url();
    let mut open = Vec::new();
    let mut refused = 0;
    for n in 0..50 {
        let user = contract_notifications_v1::UserId::new(format!("mallory-{n}")).unwrap();
        let token = server.gateway().token(&user).await.unwrap().token;
        match tokio_tungstenite::connect_async(format!("{url}?token={token}")).await {
            Ok((socket, _)) => open.push(socket),
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => {
                assert_eq!(answer.status(), 429);
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((open.len(), refused), (9, 41), "the bystander has one of ten");
    bystander.is_served(20).await;
    drop(open);
}
