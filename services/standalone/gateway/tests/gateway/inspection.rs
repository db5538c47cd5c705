//! What operators may look up: figures, users and notifications; with everything behind the server faked.

use crate::fake_services::{KEY, start};

const LIFE: &str = "/v1/users/jo/notifications/n1";

#[tokio::test]
async fn a_user_is_shown_with_connections_and_mailbox() {
    let mut server = start().await;
    let (_first, first) = server.connect_with("jo", "&acknowledge=true").await;
    let (_second, second) = server.connect_with("jo", "&format=raw").await;
    server.until_connections("jo", 2).await;
    let answer = server.get("/v1/users/jo").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let user = answer.json();
    let ids: Vec<_> = [first, second].iter().map(|key| key.connection_id.to_string()).collect();
    let connections = user["connections"].as_array().unwrap();
    let shown: Vec<_> = connections.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    assert!(ids.iter().all(|id| shown.contains(id)), "{user}");
    let raw = connections.iter().find(|one| one["format"] == "raw").unwrap();
    assert_eq!((&raw["acknowledges"], &raw["waitingBytes"]), (&false.into(), &0.into()));
    assert_eq!(raw["sourceIp"], "127.0.0.1");
    assert_eq!((&user["mailbox"]["count"], &user["mailbox"]["more"]), (&20.into(), &true.into()));
    assert_eq!(user["history"], false);
}

#[tokio::test]
async fn nobody_looks_without_the_key() {
    let server = start().await;
    let strange = ["authorization: Bearer another"];
    for (method, path) in [("GET", "/v1/users/jo"), ("GET", LIFE), ("POST", LIFE), ("GET", "/v1/figures")] {
        server.send(method, path, &strange, b"").await.require_problem(403, &["API key"]);
        let none = ["authorization: Basic x"];
        server.send(method, path, &none, b"").await.require_problem(401, &["credential"]);
        assert_eq!(
            server.send(method, path, &[&format!("authorization: Bearer {KEY}")], b"").await.status,
            200
        );
    }
}

#[tokio::test]
async fn what_can_not_be_asked_for_is_refused() {
    let server = start().await;
    server.get("/v1/users/j%20o").await.require_problem(400, &["user id", "allowed"]);
    server.get("/v1/users/jo/notifications/n%201").await.require_problem(400, &["notification id"]);
    server.get("/v1/users/down").await.require_problem(503, &["try again"]);
    server.get("/v1/figures?after=x").await.require_problem(400, &["\"after\""]);
    server.get("/v1/figures?after=0").await.require_problem(503, &["metrics"]);
    server.post("/v1/users/many/notifications/n1", "").await.require_problem(429, &["two minutes"]);
    server.send("DELETE", LIFE, &[], b"").await.require_problem(405, &["Allow"]);
}
