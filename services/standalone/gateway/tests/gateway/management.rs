//! The management API in API Gateway's form, and the routes for tokens, users and dead letters.

use contract_notifications_v1::{Timestamp, UserId};
use dispatcher::core::run::Outcome;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use shared_ports::{Clock as _, SystemClock};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::test_server::{TestServer, start, within};

#[tokio::test]
async fn message_is_posted_to_connection() {
    let mut server = start();
    let (mut client, key) = server.connect("jo").await;
    for prefix in ["/@connections", "/prod/@connections", "/%40connections", "/prod/%40connections"] {
        let answer = server.post(&format!("{prefix}/{}", key.connection_id), "hello").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
        assert_eq!(within(client.next()).await.unwrap().unwrap(), Message::text("hello"));
    }
}

#[tokio::test]
async fn connection_is_described() {
    let mut server = start();
    let (_client, key) = server.connect("jo").await;
    let answer = within(async {
        loop {
            let answer = server.get(&format!("/@connections/{}", key.connection_id)).await;
            // The peer is unknown until the socket opens.
            if answer.json()["identity"]["sourceIp"] != "" {
                return answer;
            }
        }
    })
    .await;
    assert_eq!(answer.status, 200);
    let json = answer.json();
    assert_eq!(json["identity"]["sourceIp"], "127.0.0.1");
    assert!(json["identity"]["userAgent"].is_string());
    for field in ["connectedAt", "lastActiveAt"] {
        let time = json[field].as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{time}");
    }
}

#[tokio::test]
async fn connection_is_deleted() {
    let mut server = start();
    let (mut client, key) = server.connect("jo").await;
    let path = format!("/@connections/{}", key.connection_id);
    assert_eq!(server.send("DELETE", &path, &[], b"").await.status, 204);
    let Message::Close(Some(close)) = within(client.next()).await.unwrap().unwrap() else {
        panic!("not closed")
    };
    assert_eq!(close.code, CloseCode::Normal);
    assert_eq!(server.send("DELETE", &path, &[], b"").await.status, 410);
}

#[tokio::test]
async fn gone_connection_is_answered_as_by_api_gateway() {
    let server = start();
    for method in ["POST", "GET", "DELETE"] {
        let answer = server.send(method, "/@connections/L0SM9cOFvHcCIhw%3D", &[], b"").await;
        assert_eq!(answer.status, 410, "{method}");
        assert_eq!(answer.header("x-amzn-errortype"), Some("GoneException"));
        assert!(answer.json()["message"].as_str().unwrap().contains("no such connection"));
    }
}

#[tokio::test]
async fn oversized_message_is_refused() {
    let server = start();
    let answer = server.post("/@connections/x", "x".repeat(128 * 1024 + 1)).await;
    assert_eq!((answer.status, answer.header("x-amzn-errortype")), (413, Some("PayloadTooLargeException")));
}

#[tokio::test]
async fn message_that_is_not_text_is_refused() {
    let server = start();
    let answer = server.post("/@connections/x", b"\xff").await;
    assert_eq!((answer.status, answer.header("x-amzn-errortype")), (400, Some("BadRequestException")));
}

#[tokio::test]
async fn malformed_connection_id_is_refused() {
    let server = start();
    for id in ["%zz", "%ff", &"x".repeat(129)] {
        let answer = server.get(&format!("/@connections/{id}")).await;
        assert_eq!(answer.status, 400, "{id}: {answer:?}");
    }
}

#[tokio::test]
async fn caller_without_the_key_is_refused() {
    let server = start();
    for method in ["POST", "GET", "DELETE"] {
        let answer = server.send(method, "/@connections/x", &["authorization: Bearer wrong"], b"").await;
        assert_eq!((answer.status, answer.header("x-amzn-errortype")), (403, Some("ForbiddenException")));
    }
}

/// Adds a user and logs the user in. Returns the answer to the login.
async fn log_in(server: &TestServer, user: &str) -> Value {
    let user = json!({ "username": user, "password": "long enough" }).to_string();
    assert_eq!(server.post("/v1/users", &user).await.status, 201);
    let answer = server.send("POST", "/v1/login", &["authorization: none"], user.as_bytes()).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.json()
}

/// Requires a time after `earlier`, at most `seconds` from now.
#[track_caller]
fn require_soon(time: &Value, earlier: Timestamp, seconds: u64) {
    let time = time.as_u64().unwrap();
    let latest = SystemClock.now().millis() + seconds * 1_000;
    assert!(time >= earlier.millis() && time <= latest, "{time} is not from {earlier:?} to {latest}");
}

#[tokio::test]
async fn tokens_are_issued_to_users_and_to_producers() {
    let mut server = start();
    let before = SystemClock.now();
    let user = format!("authorization: Bearer {}", log_in(&server, "ann").await["idToken"].as_str().unwrap());
    let by_user = server.send("POST", "/v1/token", &[&user], b"").await;
    assert_eq!(by_user.header("cache-control"), Some("no-store"));
    let by_producer = server.post("/v1/token", r#"{"userId":"bob"}"#).await;
    for (answer, user) in [(by_user, "ann"), (by_producer, "bob")] {
        let answer = answer.json();
        assert_eq!(answer.as_object().unwrap().len(), 2, "{answer}");
        require_soon(&answer["expiresAt"], before, 30);
        let url = format!("ws://{}/ws?token={}", server.address, answer["token"].as_str().unwrap());
        tokio_tungstenite::connect_async(url).await.unwrap();
        assert_eq!(server.inserted.recv().await.unwrap().user_id, UserId::new(user).unwrap());
    }
    server
        .send("POST", "/v1/token", &["authorization: Bearer not.a.jwt"], b"")
        .await
        .require_problem(403, &["token"]);
    server.post("/v1/token", r#"{"userId":"b\tb"}"#).await.require_problem(400, &["user id"]);
    server.post("/v1/token", "").await.require_problem(400, &["userId"]);
}

#[tokio::test]
async fn users_log_in() {
    let server = start();
    let before = SystemClock.now();
    let ann = log_in(&server, "ann").await;
    assert_eq!(ann.as_object().unwrap().len(), 2, "{ann}");
    assert_eq!(ann["idToken"].as_str().unwrap().split('.').count(), 3, "{ann}");
    require_soon(&ann["expiresAt"], before, 24 * 60 * 60);
    let nobody = ["authorization: none"];
    let login = async |body: &str| server.send("POST", "/v1/login", &nobody, body.as_bytes()).await;
    login(r#"{"username":"ann","password":"wrong"}"#).await.require_problem(401, &["username or password"]);
    login(r#"{"username":"ann"}"#).await.require_problem(400, &["password"]);
}

#[tokio::test]
async fn users_are_added() {
    let server = start();
    let before = SystemClock.now();
    let ann = r#"{"username":"ann","password":"long enough"}"#;
    let answer = server.post("/v1/users", ann).await;
    let created = answer.json();
    assert_eq!((answer.status, &created["username"]), (201, &json!("ann")));
    assert_eq!(created.as_object().unwrap().len(), 2, "{created}");
    require_soon(&created["createdAt"], before, 0);
    let short = r#"{"username":"bob","password":"short"}"#;
    server.post("/v1/users", short).await.require_problem(400, &["a password must have 8 to 1024 bytes"]);
    server.post("/v1/users", ann).await.require_problem(409, &["already"]);
    server
        .post("/v1/users", r#"{"username":"a\tb","password":"x"}"#)
        .await
        .require_problem(400, &["user id"]);
    let nobody = server.send("POST", "/v1/users", &["authorization: none"], b"{}").await;
    nobody.require_problem(401, &["API key"]);
    assert_eq!(server.get("/v1/users").await.json(), json!({ "items": [created] }));
    let keys = server.get("/.well-known/jwks.json").await.json();
    let [key] = &keys["keys"].as_array().unwrap()[..] else { panic!("one key: {keys}") };
    assert_eq!((&key["kty"], &key["crv"], key.get("d")), (&json!("OKP"), &json!("Ed25519"), None));
}

/// Makes dead letters of `count` notifications and returns their ids.
async fn dead_letters(server: &TestServer, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let accepted = server.post("/v1/notifications", r#"{"userId":"jo","message":1}"#).await.json();
        ids.push(accepted["sequence"].as_str().unwrap().to_owned());
        server.store.receive().await.complete(&[Outcome::Retry]);
    }
    ids
}

#[tokio::test]
async fn dead_letters_are_listed_redriven_and_purged() {
    let server = start();
    let [a, b, c] = &dead_letters(&server, 3).await[..] else { panic!("three") };
    let page = server.get("/v1/dead-letters?limit=2").await.json();
    assert_eq!(
        (&page["items"][0]["id"], &page["items"][1]["id"], &page["next"]),
        (&json!(a), &json!(b), &json!(b))
    );
    let last = server.get(&format!("/v1/dead-letters?limit=2&after={b}")).await.json();
    assert_eq!((last["items"].as_array().unwrap().len(), &last["items"][0]["id"]), (1, &json!(c)));
    assert_eq!(last.get("next"), None);
    let one = server.get(&format!("/v1/dead-letters/{a}")).await.json();
    assert_eq!((&one["userId"], &one["reason"]), (&json!("jo"), &json!("received 1 times")));
    server.get("/v1/dead-letters/x").await.require_problem(404, &["no dead letter"]);
    server.get("/v1/dead-letters?limit=0").await.require_problem(400, &["1 to 1000"]);
    let redrive = format!("/v1/dead-letters/{a}/redrive");
    assert_eq!(server.post(&redrive, "").await.json(), json!({"redriven": 1}));
    server.post(&redrive, "").await.require_problem(404, &["no dead letter"]);
    assert_eq!(server.post("/v1/dead-letters/redrive", "").await.json(), json!({"redriven": 2}));
    assert_eq!(server.take_queued().len(), 3);
    let [d, _] = &dead_letters(&server, 2).await[..] else { panic!("two") };
    let purge = format!("/v1/dead-letters/{d}");
    assert_eq!(server.send("DELETE", &purge, &[], b"").await.json(), json!({"purged": 1}));
    assert_eq!(server.send("DELETE", "/v1/dead-letters", &[], b"").await.json(), json!({"purged": 1}));
    let wrong = format!("authorization: Bearer not-{}", server.key);
    server.send("GET", "/v1/dead-letters", &[&wrong], b"").await.require_problem(403, &["API key"]);
}
