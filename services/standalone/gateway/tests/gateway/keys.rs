//! Keys over HTTP: what each scope opens, budgets, rotation, revocation, and signatures.

use serde_json::{Value, json};

use crate::test_server::{Answer, TestServer, start};

const NOTIFICATIONS: &str = "/v1/notifications";

/// Adds a key and returns the answer with its secrets.
async fn add(server: &TestServer, body: Value) -> Value {
    let answer = server.post("/v1/keys", body.to_string()).await;
    assert_eq!((answer.status, answer.header("cache-control")), (201, Some("no-store")), "{answer:?}");
    answer.json()
}

/// Adds a key with these scopes and returns its header.
async fn key(server: &TestServer, name: &str, scopes: &[&str]) -> String {
    let added = add(server, json!({"name": name, "scopes": scopes})).await;
    bearer(&added)
}

fn bearer(secrets: &Value) -> String {
    format!("authorization: Bearer {}", secrets["apiKey"].as_str().unwrap())
}

async fn send(server: &TestServer, key: &str, user: &str) -> Answer {
    let body = json!({"userId": user, "payload": 1}).to_string();
    server.send("POST", NOTIFICATIONS, &[key], body.as_bytes()).await
}

#[tokio::test]
async fn each_scope_opens_its_routes_alone() {
    let server = start();
    // A request that each scope needs, with a status that shows that the scope sufficed.
    let routes: [(&str, &str, &str, &str, u16); 16] = [
        ("send", "POST", NOTIFICATIONS, r#"{"userId":"jo","payload":1}"#, 202),
        ("send", "POST", "/message", r#"{"userId":"jo","message":"m"}"#, 202),
        ("send", "POST", "/@connections/none", "x", 410),
        ("token", "POST", "/v1/token", r#"{"userId":"jo"}"#, 200),
        ("read", "GET", "/v1/users", "", 200),
        ("read", "GET", "/v1/users/jo", "", 200),
        ("read", "GET", "/v1/live-metrics", "", 200),
        ("read", "GET", "/v1/dead-letters", "", 200),
        ("read", "GET", "/v1/history/jo/sessions", "", 404),
        ("read", "GET", "/@connections/none", "", 410),
        ("operate", "DELETE", "/@connections/none", "", 410),
        ("operate", "POST", "/v1/dead-letters/redrive", "", 200),
        ("operate", "DELETE", "/v1/dead-letters", "", 200),
        ("operate", "POST", "/v1/users/jo/notifications/n", "", 200),
        ("admin", "GET", "/v1/keys", "", 200),
        ("admin", "POST", "/v1/keys/none/rotate", "", 404),
    ];
    for scope in ["send", "token", "read", "operate", "admin"] {
        let header = key(&server, scope, &[scope]).await;
        for (needed, method, path, body, status) in routes {
            let allowed = scope == needed || scope == "admin" || (scope, needed) == ("operate", "read");
            let answer = server.send(method, path, &[&header], body.as_bytes()).await;
            let expected = if allowed { status } else { 403 };
            assert_eq!(answer.status, expected, "{scope}: {method} {path}: {answer:?}");
            if !allowed {
                let detail = answer.json()["detail"].to_string() + &answer.json()["message"].to_string();
                assert!(detail.contains(&format!("\\\"{scope}\\\"")) && detail.contains(needed), "{detail}");
            }
        }
        let own = server.send("GET", "/v1/key", &[&header], b"").await;
        assert_eq!(own.json(), json!({"name": scope, "scopes": [scope]}));
    }
}

#[tokio::test]
async fn key_of_a_prefix_reaches_its_users_alone() {
    let server = start();
    let header = key(&server, "app", &["send:app-"]).await;
    assert_eq!(send(&server, &header, "app-zoe").await.status, 202);
    send(&server, &header, "zoe").await.require_problem(403, &["\"app\"", "send:app-"]);
    // Of many, those for others are refused alone.
    let many =
        r#"[{"userId":"app-a","payload":1},{"userId":"b","payload":2},{"userId":"app-c","payload":3}]"#;
    let answer = server.send("POST", NOTIFICATIONS, &[&header], many.as_bytes()).await;
    assert_eq!((answer.json()["accepted"].clone(), answer.json()["refused"].clone()), (json!(2), json!(1)));
    assert_eq!(answer.json()["results"][1]["error"]["status"], 403);
    // Bare messages to a connection say nothing of its user.
    let answer = server.send("POST", "/@connections/none", &[&header], b"x").await;
    assert_eq!(answer.status, 403);
    let users: Vec<_> = server.take_queued().iter().map(|queued| queued.user_id.to_string()).collect();
    assert_eq!(users, ["app-zoe", "app-a", "app-c"]);
}

#[tokio::test]
async fn console_of_a_read_key_gets_metrics_and_no_user() {
    let server = start();
    let read = key(&server, "viewer", &["read"]).await;
    let token = async |header: &str, body: Value| {
        server.send("POST", "/v1/token", &[header], body.to_string().as_bytes()).await.status
    };
    let operator = "operator-0123456789abcdef";
    assert_eq!(token(&read, json!({"userId": operator, "hubs": ["tidings:operations"]})).await, 200);
    for (user, hubs) in [
        ("alice", json!(["tidings:operations"])),
        (operator, json!([])),
        (operator, json!(["tidings:operations", "team"])),
        ("operator-alice", json!(["tidings:operations"])),
    ] {
        assert_eq!(token(&read, json!({"userId": user, "hubs": hubs})).await, 403, "{user} {hubs}");
    }
    // Tokens for users give no way to the metrics.
    let tokens = key(&server, "tokens", &["token"]).await;
    assert_eq!(token(&tokens, json!({"userId": "alice", "hubs": ["team"]})).await, 200);
    assert_eq!(token(&tokens, json!({"userId": "alice", "hubs": ["tidings:operations"]})).await, 403);
}

#[tokio::test]
async fn greedy_key_is_told_when_to_come_back_and_others_go_on() {
    let server = start();
    let hour = 3_600_000;
    let greedy = add(
        &server,
        json!({"name": "greedy", "scopes": ["send"], "rate": {"most": 3, "perMs": hour}, "bytes": {"most": 100, "perMs": hour}}),
    )
    .await;
    let (greedy, modest) = (bearer(&greedy), key(&server, "modest", &["send"]).await);
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(send(&server, &greedy, "jo").await.status);
        assert_eq!(send(&server, &modest, "jo").await.status, 202);
        assert_eq!(server.post(NOTIFICATIONS, r#"{"userId":"jo","payload":1}"#).await.status, 202);
    }
    assert_eq!(statuses, [202, 202, 202, 429, 429]);
    let refused = send(&server, &greedy, "jo").await;
    refused.require_problem(429, &["\"greedy\"", "3 notifications"]);
    assert_eq!(refused.header("retry-after"), Some("1200"));
    // A whole body beyond the budget is refused as one, and nothing of it is accepted.
    server.take_queued();
    let lines = r#"{"userId":"jo","payload":1}"#.to_owned() + "\n" + r#"{"userId":"jo","payload":2}"#;
    let ndjson = "content-type: application/x-ndjson";
    let many = server.send("POST", NOTIFICATIONS, &[&greedy, ndjson], lines.as_bytes()).await;
    many.require_problem(429, &["greedy"]);
    assert!(server.take_queued().is_empty());
}

#[tokio::test]
async fn bare_messages_count_against_the_key() {
    let mut server = start();
    let small = json!({"name": "small", "scopes": ["send"], "rate": {"most": 2, "perMs": 3_600_000}});
    let small = bearer(&add(&server, small).await);
    let (_client, connection) = server.connect("jo").await;
    let path = format!("/@connections/{}", connection.connection_id);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(server.send("POST", &path, &[&small], b"hello").await.status);
    }
    assert_eq!(statuses, [200, 200, 429]);
}

#[tokio::test]
async fn key_over_its_bytes_fills_no_disk() {
    let server = start();
    let small = json!({"name": "small", "scopes": ["send"], "bytes": {"most": 1000, "perMs": 3_600_000}});
    let small = bearer(&add(&server, small).await);
    let body = json!({"userId": "jo", "payload": "x".repeat(398)}).to_string();
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(server.send("POST", NOTIFICATIONS, &[&small], body.as_bytes()).await.status);
    }
    assert_eq!(statuses, [202, 202, 429, 429]);
    let bytes: usize = server.take_queued().iter().map(|queued| queued.payload.get().len()).sum();
    assert_eq!(bytes, 800);
}

#[tokio::test]
async fn rotated_and_revoked_keys_are_refused_in_time() {
    let server = start();
    let old = key(&server, "ci", &["send"]).await;
    let rotated = server.post("/v1/keys/ci/rotate", r#"{"overlapMs": 600000}"#).await;
    assert_eq!((rotated.status, rotated.header("cache-control")), (200, Some("no-store")));
    let new = bearer(&rotated.json());
    assert_eq!((send(&server, &old, "jo").await.status, send(&server, &new, "jo").await.status), (202, 202));
    let listed = server.get("/v1/keys").await.json();
    assert_eq!((&listed["items"][0]["name"], &listed["items"][1]["name"]), (&json!("first"), &json!("ci")));
    assert!(listed["items"][1]["lastUsedAt"].is_u64() && listed["items"][1]["olderSecretsUntil"].is_u64());
    assert!(!listed.to_string().contains("tidings_"), "{listed}");

    let newest = bearer(&server.post("/v1/keys/ci/rotate", r#"{"overlapMs": 0}"#).await.json());
    send(&server, &old, "jo").await.require_problem(403, &["not one of this server's"]);
    assert_eq!(send(&server, &newest, "jo").await.status, 202);
    assert_eq!(server.send("DELETE", "/v1/keys/ci", &[], b"").await.status, 204);
    assert_eq!(send(&server, &newest, "jo").await.status, 403);
    assert_eq!(server.send("DELETE", "/v1/keys/ci", &[], b"").await.status, 404);
}

#[tokio::test]
async fn key_pair_of_a_further_key_signs_within_its_scopes() {
    let mut server = start();
    let added = add(&server, json!({"name": "sdk", "scopes": ["send:app-"], "signs": true})).await;
    let pair = &added["accessKey"];
    server.credentials.access_key = tidings_identity::secrets::AccessKey::new(
        tidings_identity::secrets::AccessKeyId::new(pair["accessKeyId"].as_str().unwrap()).unwrap(),
        pair["secretAccessKey"].as_str().unwrap().to_owned(),
    )
    .unwrap();
    for (user, status) in [("app-jo", 202), ("jo", 403)] {
        let body = json!({"userId": user, "payload": 1}).to_string();
        let [authorization, date] = server.sign("test", "/message", &body);
        let answer = server.send("POST", "/message", &[&authorization, &date], body.as_bytes()).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    server.send("DELETE", "/v1/keys/sdk", &[], b"").await;
    let body = r#"{"userId":"app-jo","payload":1}"#;
    let [authorization, date] = server.sign("test", "/message", body);
    let answer = server.send("POST", "/message", &[&authorization, &date], body.as_bytes()).await;
    answer.require_problem(403, &["access key"]);
}

#[tokio::test]
async fn malformed_key_is_refused_with_what_is_allowed() {
    let server = start();
    key(&server, "ci", &["send"]).await;
    for (body, status, word) in [
        (json!({"name": "ci", "scopes": ["send"]}), 409, "already"),
        (json!({"name": "first", "scopes": ["send"]}), 409, "already"),
        (json!({"name": "a b", "scopes": ["send"]}), 400, "1 to 64 letters"),
        (json!({"name": "x", "scopes": []}), 400, "1 to 32 scopes"),
        (json!({"name": "x", "scopes": ["write"]}), 400, "send:<prefix>"),
        (json!({"name": "x", "scopes": ["send"], "expiresAt": 1}), 400, "past"),
        (json!({"name": "x", "scopes": ["send"], "rate": {"most": 0, "perMs": 1}}), 400, "at least 1"),
        (json!({"name": "x", "scopes": ["send"], "scope": 1}), 400, "scope"),
    ] {
        server.post("/v1/keys", body.to_string()).await.require_problem(status, &[word]);
    }
    let rotate = async |body: &str| server.post("/v1/keys/ci/rotate", body).await;
    rotate(r#"{"overlapMs": 99999999999}"#).await.require_problem(400, &["90 days"]);
    server.send("DELETE", "/v1/keys/first", &[], b"").await.require_problem(400, &["api-key", "restart"]);
    server.post("/v1/keys/first/rotate", "").await.require_problem(400, &["api-key", "restart"]);
}
