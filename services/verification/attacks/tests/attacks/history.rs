//! Clients that ask for much and read nothing.

use contract_notifications_v1::{Notification, UserId, WhenOffline};
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Bystander, Client, Server, notification};

const MIB: u64 = 1024 * 1024;
const CONNECTIONS: usize = 40;

#[tokio::test]
async fn unread_histories_take_little_memory() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [("TIDINGS_HISTORY__ENABLED", "true"), ("TIDINGS_HISTORY__PAYLOADS", "true")];
    let server = Server::start(directory.path(), &settings).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    let (user, payload) = (UserId::new("mallory").unwrap(), json!("x".repeat(100_000)));
    let producer = server.gateway();
    for _ in 0..100 {
        // Nobody is connected, so the history alone has them.
        let dropped = Notification { when_offline: WhenOffline::Drop, ..notification(&user, &payload) };
        producer.send(&dropped).await.unwrap();
    }
    let mut clients = join_all((0..CONNECTIONS).map(|_| Client::connect(&server, "mallory"))).await;
    bystander.is_served(5).await;
    let before = server.resident_bytes();
    for client in &mut clients {
        client.send(r#"{"action":"history","of":"messages"}"#).await;
    }
    bystander.is_served(20).await;
    let taken = server.resident_bytes().saturating_sub(before);
    assert!(taken < 150 * MIB, "{CONNECTIONS} unread histories take {taken} bytes");
    // What is asked for is there.
    let answer = clients[0].ask(r#"{"action":"history","of":"messages","limit":2}"#).await;
    assert!(!answer["items"].as_array().unwrap().is_empty(), "{answer}");
    drop(clients);
    bystander.is_served(5).await;
}
