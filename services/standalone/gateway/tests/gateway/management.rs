//! The management API in API Gateway's shapes, and the operators' routes.

use futures_util::StreamExt as _;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::fake_services::{KEY, letter, start, within};

#[tokio::test]
async fn a_message_is_posted_to_a_connection() {
    let mut server = start().await;
    let (mut client, key) = server.connect("jo").await;
    for prefix in ["/@connections", "/prod/@connections", "/%40connections", "/prod/%40connections"] {
        let answer = server.post(&format!("{prefix}/{}", key.connection_id), "hello").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
        assert_eq!(within(client.next()).await.unwrap().unwrap(), Message::text("hello"));
    }
}

#[tokio::test]
async fn a_connection_is_described() {
    let mut server = start().await;
    let (_client, key) = server.connect("jo").await;
    let answer = within(async {
        loop {
            let answer = server.get(&format!("/@connections/{}", key.connection_id)).await;
            // Until its socket is up, nothing is known of the other end.
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
async fn a_connection_is_deleted() {
    let mut server = start().await;
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
async fn a_connection_that_is_gone_is_answered_as_api_gateway_does() {
    let server = start().await;
    for method in ["POST", "GET", "DELETE"] {
        let answer = server.send(method, "/@connections/L0SM9cOFvHcCIhw%3D", &[], b"").await;
        assert_eq!(answer.status, 410, "{method}");
        assert_eq!(answer.header("x-amzn-errortype"), Some("GoneException"));
        assert!(answer.json()["message"].as_str().unwrap().contains("no such connection"));
    }
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let server = start().await;
    let answer = server.post("/@connections/x", "x".repeat(128 * 1024 + 1)).await;
    assert_eq!((answer.status, answer.header("x-amzn-errortype")), (413, Some("PayloadTooLargeException")));
}

#[tokio::test]
async fn a_message_that_is_not_text_is_refused() {
    let server = start().await;
    let answer = server.post("/@connections/x", b"\xff").await;
    assert_eq!((answer.status, answer.header("x-amzn-errortype")), (400, Some("BadRequestException")));
}

#[tokio::test]
async fn a_connection_id_that_is_not_encoded_right_is_refused() {
    let server = start().await;
    for id in ["%zz", "%ff", &"x".repeat(129)] {
        let answer = server.get(&format!("/@connections/{id}")).await;
        assert_eq!(answer.status, 400, "{id}: {answer:?}");
    }
}

#[tokio::test]
async fn a_caller_without_the_key_is_refused() {
    let server = start().await;
    for method in ["POST", "GET", "DELETE"] {
        let answer = server.send(method, "/@connections/x", &["authorization: Bearer wrong"], b"").await;
        assert_eq!((answer.status, answer.header("x-amzn-errortype")), (403, Some("ForbiddenException")));
    }
}

#[tokio::test]
async fn tokens_are_issued_to_users_and_to_producers() {
    let server = start().await;
    let user = ["authorization: Bearer jwt.of.ann"];
    let answer = server.send("POST", "/v1/token", &user, b"").await;
    assert_eq!(answer.json(), json!({"token": "token-of-ann", "expiresAt": 30_000}));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let answer = server.post("/v1/token", r#"{"userId":"bob"}"#).await;
    assert_eq!(answer.json()["token"], "token-of-bob");
    server
        .send("POST", "/v1/token", &["authorization: Bearer not.a.jwt"], b"")
        .await
        .require_problem(403, &["token"]);
    server.post("/v1/token", r#"{"userId":"b b"}"#).await.require_problem(400, &["user id"]);
    server.post("/v1/token", "").await.require_problem(400, &["userId"]);
}

#[tokio::test]
async fn users_log_in() {
    let server = start().await;
    let nobody = ["authorization: none"];
    let login = async |body: &str| server.send("POST", "/v1/login", &nobody, body.as_bytes()).await;
    let answer = login(r#"{"username":"ann","password":"right"}"#).await;
    assert_eq!(answer.json(), json!({"idToken": "jwt.of.ann", "expiresAt": 1}));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    login(r#"{"username":"ann","password":"wrong"}"#).await.require_problem(401, &["username or password"]);
    login(r#"{"username":"ann"}"#).await.require_problem(400, &["password"]);
}

#[tokio::test]
async fn users_are_added() {
    let server = start().await;
    let answer = server.post("/v1/users", r#"{"username":"ann","password":"long enough"}"#).await;
    assert_eq!((answer.status, answer.json()), (201, json!({"username": "ann", "createdAt": 3})));
    let short = r#"{"username":"ann","password":"short"}"#;
    server.post("/v1/users", short).await.require_problem(400, &["5 characters", "8 to 256"]);
    server
        .post("/v1/users", r#"{"username":"taken","password":"x"}"#)
        .await
        .require_problem(409, &["already"]);
    server.post("/v1/users", r#"{"username":"a b","password":"x"}"#).await.require_problem(400, &["user id"]);
    let nobody = server.send("POST", "/v1/users", &["authorization: none"], b"{}").await;
    nobody.require_problem(401, &["API key"]);
    let users = server.get("/v1/users").await;
    assert_eq!(users.json(), json!({"items": [{"username": "ann", "createdAt": 3}]}));
    assert_eq!(server.get("/.well-known/jwks.json").await.json(), json!({"keys": []}));
}

#[tokio::test]
async fn dead_letters_are_listed_redriven_and_purged() {
    let server = start().await;
    let put = |ids: &[&str]| {
        let mut letters = server.world.letters.lock().unwrap();
        letters.extend(ids.iter().map(|id| ((*id).to_owned(), letter(id))));
    };
    put(&["a", "b", "c"]);
    let page = server.get("/v1/dead-letters?limit=2").await.json();
    assert_eq!((&page["items"][1]["id"], &page["next"]), (&json!("b"), &json!("b")));
    let last = server.get("/v1/dead-letters?limit=2&after=b").await.json();
    assert_eq!((last["items"].as_array().unwrap().len(), last.get("next")), (1, None));
    let one = server.get("/v1/dead-letters/a").await.json();
    assert_eq!((&one["userId"], &one["reason"]), (&json!("jo"), &json!("not a valid JSON notification")));
    server.get("/v1/dead-letters/x").await.require_problem(404, &["no dead letter"]);
    server.get("/v1/dead-letters?limit=0").await.require_problem(400, &["1 to 1000"]);
    assert_eq!(server.post("/v1/dead-letters/a/redrive", "").await.json(), json!({"redriven": 1}));
    server.post("/v1/dead-letters/a/redrive", "").await.require_problem(404, &["no dead letter"]);
    assert_eq!(server.post("/v1/dead-letters/redrive", "").await.json(), json!({"redriven": 2}));
    put(&["d", "e"]);
    assert_eq!(server.send("DELETE", "/v1/dead-letters/d", &[], b"").await.json(), json!({"purged": 1}));
    assert_eq!(server.send("DELETE", "/v1/dead-letters", &[], b"").await.json(), json!({"purged": 1}));
    let wrong = [format!("authorization: Bearer not-{KEY}")];
    server.send("GET", "/v1/dead-letters", &[&wrong[0]], b"").await.require_problem(403, &["API key"]);
}
