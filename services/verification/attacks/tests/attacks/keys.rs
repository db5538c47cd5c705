//! A producer whose key is misused.

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Bystander, Server, keep_for_fuzzing, read_to_close, send_raw};

const REQUESTS: usize = 400;

/// Adds a key and returns its API key.
async fn key(server: &Server, key: &Value) -> String {
    let request = server.http().post(format!("{}/v1/keys", server.url)).bearer_auth(server.api_key());
    let added = request.body(key.to_string()).send().await.unwrap().error_for_status().unwrap();
    let added: Value = added.json().await.unwrap();
    added["apiKey"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn flood_of_one_key_is_refused_and_others_are_served() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    let limits = json!({"name": "greedy", "scopes": ["send"], "rate": {"most": 50, "perMs": 3_600_000}});
    let greedy = key(&server, &limits).await;
    let (http, url) = (server.http(), format!("{}/v1/notifications", server.url));
    let mut accepted = 0;
    for n in 0..REQUESTS {
        let body = json!({"userId": "mallory", "payload": "x".repeat(1_000)}).to_string();
        let answer = http.post(&url).bearer_auth(&greedy).body(body).send().await.unwrap();
        if answer.status() == StatusCode::ACCEPTED {
            accepted += 1;
        } else {
            assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
            assert!(answer.headers().contains_key("retry-after"));
        }
        if n % 20 == 0 {
            bystander.is_served(1).await;
        }
    }
    assert_eq!(accepted, 50);
    assert!(server.metric("tidings_quotas_reached_total").await >= 350.0);
    bystander.is_served(20).await;
}

#[tokio::test]
async fn unfinished_bodies_of_keys_leave_room_for_others() {
    const BODY: usize = 1 << 20;
    let directory = tempfile::tempdir().unwrap();
    let settings = [
        ("TIDINGS_SERVER__MAX_BODY_BYTES", "262144"),
        ("TIDINGS_SERVER__MAX_BULK_BODY_BYTES", "1048576"),
        ("TIDINGS_LIMITS__KEY_BODY_BYTES", "4194304"),
        ("TIDINGS_SERVER__BODY_TIMEOUT", "5s"),
    ];
    let server = Server::start(directory.path(), &settings).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    let mut requests = Vec::new();
    for name in ["shop", "billing"] {
        let stolen = key(&server, &json!({"name": name, "scopes": ["send:shop-"]})).await;
        let head = format!(
            "POST /v1/notifications HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {stolen}\r\n\
             Content-Type: application/x-ndjson\r\nConnection: close\r\nContent-Length: {BODY}\r\n\r\n"
        );
        // All but the last byte.
        requests.push([head.as_bytes(), &vec![b' '; BODY - 1]].concat());
    }
    let sockets = join_all((0..40).map(|n| send_raw(server.address(), &requests[n % 2]))).await;
    // Two keys leave nine sixteenths of the bound: a body of 128 KiB fits.
    let body = json!({"userId": "bob", "payload": "x".repeat(128_000)}).to_string();
    for _ in 0..20 {
        bystander.is_served(1).await;
        let url = format!("{}/v1/notifications", server.url);
        let sent = server.http().post(url).bearer_auth(server.api_key()).body(body.clone()).send().await;
        assert_eq!(sent.unwrap().status(), StatusCode::ACCEPTED);
    }
    let answers = join_all(sockets.into_iter().map(read_to_close)).await;
    let with = |status: &str| answers.iter().filter(|answer| answer.starts_with(status)).count();
    // One of these bodies is a quarter of the bound. A reset may destroy an answer.
    assert!(with("HTTP/1.1 408") <= 1, "{answers:?}");
    assert!(server.metric("tidings_key_bodies_refused_total").await >= 39.0);
    bystander.is_served(20).await;
}

#[tokio::test]
async fn junk_entries_make_a_small_answer() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    let stolen = key(&server, &json!({"name": "shop", "scopes": ["send:shop-"]})).await;
    let url = format!("{}/v1/notifications", server.url);
    let foreign = r#"{"userId":"alice","payload":1}"#;
    for body in
        [format!("[{}5]", "5,".repeat(99_999)), format!("[{}{foreign}]", format!("{foreign},").repeat(9_999))]
    {
        keep_for_fuzzing("notification", &body.as_bytes()[..200]);
        let answer = server.http().post(&url).bearer_auth(&stolen).body(body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let text = answer.text().await.unwrap();
        assert!(text.len() < 1 << 20, "{} bytes", text.len());
        assert!(text.contains("were not read"));
    }
    bystander.is_served(20).await;
}

#[tokio::test]
async fn key_of_a_producer_opens_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]).await;
    let stolen = key(&server, &json!({"name": "shop", "scopes": ["send:shop-"]})).await;
    let http = server.http();
    for (method, path, body) in [
        ("POST", "/v1/notifications", r#"{"userId":"alice","payload":1}"#),
        ("POST", "/v1/token", r#"{"userId":"alice"}"#),
        ("POST", "/v1/token", r#"{"userId":"operator-0123456789abcdef","hubs":["tidings:operations"]}"#),
        ("GET", "/v1/users", ""),
        ("GET", "/v1/users/alice", ""),
        ("PUT", "/v1/users/alice/block", ""),
        ("DELETE", "/v1/users/alice/connections", ""),
        ("DELETE", "/v1/dead-letters", ""),
        ("GET", "/v1/keys", ""),
        ("POST", "/v1/keys", r#"{"name":"mine","scopes":["admin"]}"#),
        ("POST", "/v1/keys/shop/rotate", ""),
        ("DELETE", "/v1/keys/shop", ""),
    ] {
        let request = http.request(method.parse().unwrap(), format!("{}{path}", server.url));
        let answer = request.bearer_auth(&stolen).body(body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{method} {path}");
    }
}
