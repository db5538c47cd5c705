//! The producer API: each bad input its own test.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use serde_json::json;
use tidings_gateway::server::Settings;
use tidings_sockets::Limits;
use tidings_store::AcceptError;

use crate::fake_services::{TestServer, start, start_with};

const PATH: &str = "/v1/notifications";

fn ids(server: &TestServer) -> Vec<String> {
    let accepted = server.world.accepted.lock().unwrap();
    accepted.iter().map(|submission| submission.notification.id.to_string()).collect()
}

#[tokio::test]
async fn one_notification_is_accepted() {
    let server = start().await;
    let answer = server.post(PATH, r#"{"id":"n\"1","userId":"jo","payload":{"a":1},"colour":"red"}"#).await;
    assert_eq!(answer.status, 202);
    let sequence = "000000000000000000000000000000000000001";
    assert_eq!(answer.json(), json!({"id": "n\"1", "sequence": sequence, "duplicate": false}));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let again = server.post(PATH, r#"{"id":"n\"1","userId":"jo","payload":{"a":1}}"#).await;
    assert_eq!(again.json()["duplicate"], true);
}

#[tokio::test]
async fn the_servers_own_ids_are_not_deduplicated() {
    let server = start().await;
    assert_eq!(server.post(PATH, r#"{"userId":"jo","message":"hi"}"#).await.status, 202);
    assert_eq!(server.post("/message", r#"{"userId":"jo","message":"hi"}"#).await.status, 202);
    let accepted = server.world.accepted.lock().unwrap();
    assert!(accepted.iter().all(|submission| !submission.deduplicate));
    assert_ne!(accepted[0].notification.id, accepted[1].notification.id);
    assert_eq!(accepted[0].notification.id.as_str().as_bytes()[14], b'7');
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused() {
    let server = start().await;
    server.post(PATH, "hello").await.require_problem(400, &["not a valid JSON notification", "line 1"]);
    server.post(PATH, "").await.require_problem(400, &["not a valid JSON"]);
    server.post("/message", "[1]").await.require_problem(400, &["not a valid JSON notification"]);
}

#[tokio::test]
async fn a_body_that_is_not_utf8_is_refused() {
    let server = start().await;
    server.post(PATH, b"{\"userId\":\"\xff\"}").await.require_problem(400, &["UTF-8", "11"]);
}

#[tokio::test]
async fn an_illegal_user_id_is_refused() {
    let server = start().await;
    let answer = server.post(PATH, r#"{"userId":"j o","message":1}"#).await;
    answer.require_problem(400, &["user id", "position 1", "allowed"]);
}

#[tokio::test]
async fn a_user_id_that_is_too_long_is_refused() {
    let server = start().await;
    let answer = server.post(PATH, json!({"userId": "x".repeat(129), "message": 1}).to_string()).await;
    answer.require_problem(400, &["129 characters", "1 to 128"]);
}

#[tokio::test]
async fn a_missing_user_is_refused() {
    let server = start().await;
    server.post(PATH, r#"{"message":1}"#).await.require_problem(400, &["userId", "missing"]);
}

#[tokio::test]
async fn an_unknown_version_is_refused() {
    let server = start().await;
    let answer = server.post(PATH, r#"{"version":9,"userId":"jo","message":1}"#).await;
    answer.require_problem(400, &["version 9", "known is version 1"]);
}

#[tokio::test]
async fn the_limit_counts_the_envelope() {
    let server = start().await;
    let body = |bytes: usize| json!({"id": "n", "userId": "jo", "payload": "x".repeat(bytes)}).to_string();
    // The frame is `{"type":"notification","id":"n","sequence":"<39>","sentAt":<13>,"payload":"…","replayed":false}`.
    let fits = 128 * 1024 - 140;
    assert_eq!(server.post(PATH, body(fits)).await.status, 202);
    server.post(PATH, body(128 * 1024 - 60)).await.require_problem(413, &["envelope", "allowed are 131072"]);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let settings = Settings { max_body_bytes: 1_000, max_bulk_body_bytes: 5_000, ..Settings::default() };
    let server = start_with(settings, Limits::default(), None).await;
    let one = json!({"userId": "jo", "message": "x".repeat(1_000)}).to_string();
    server.post(PATH, &one).await.require_problem(413, &["at most 1000 bytes"]);
    let many = format!("[{one},{one},{one},{one},{one}]");
    server.post(PATH, &many).await.require_problem(413, &["at most 5000 bytes"]);
    assert_eq!(server.post(PATH, format!("[{one},{one}]")).await.json()["accepted"], 2);
}

#[tokio::test]
async fn a_wrong_api_key_is_refused_before_the_body_is_read() {
    let server = start().await;
    // The body that is announced never comes.
    let head = ["authorization: Bearer wrong", "content-length: 1000"];
    server.send("POST", PATH, &head[..1], b"x").await.require_problem(403, &["API key"]);
    let answer =
        raw(&server, &format!("POST {PATH} HTTP/1.1\r\nhost: x\r\n{}\r\n{}\r\n\r\n", head[0], head[1])).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

/// Sends a head alone and reads the head of the answer.
async fn raw(server: &TestServer, head: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut socket = tokio::net::TcpStream::connect(server.address).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(crate::fake_services::within(socket.read_u8()).await.unwrap());
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_credential_is_asked_for() {
    let server = start().await;
    let answer = server.send("POST", PATH, &["authorization: Basic eDp5"], b"{}").await;
    answer.require_problem(401, &["Bearer", "X-Api-Key", "Signature Version 4"]);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    let open = Settings { authenticate: false, ..Settings::default() };
    let server = start_with(open, Limits::default(), None).await;
    let body = br#"{"userId":"jo","message":1}"#;
    assert_eq!(server.send("POST", PATH, &["authorization: none"], body).await.status, 202);
}

#[tokio::test]
async fn a_signature_is_over_the_body() {
    let server = start().await;
    let signed = ["authorization: AWS4-HMAC-SHA256 Credential=x"];
    server.send("POST", PATH, &signed, b"signed").await.require_problem(400, &["not a valid JSON"]);
    server.send("POST", PATH, &signed, b"altered").await.require_problem(403, &["signature"]);
}

#[tokio::test]
async fn a_bad_entry_does_not_stop_the_others() {
    let server = start().await;
    let body = r#"[{"id":"a","userId":"jo","message":1},{"userId":"j o","message":2},7,{"id":"c","userId":"jo","message":3}]"#;
    let answer = server.post(PATH, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = answer.json();
    assert_eq!((&json["accepted"], &json["refused"]), (&json!(2), &json!(2)));
    assert_eq!(json["results"][0]["id"], "a");
    assert_eq!(json["results"][1]["error"]["status"], 400);
    assert!(json["results"][1]["error"]["detail"].as_str().unwrap().contains("user id"));
    assert_eq!(json["results"][2]["error"]["requestId"].as_str(), answer.header("x-request-id"));
    assert_eq!(json["results"][3]["sequence"].as_str().map(str::len), Some(39));
    assert_eq!(ids(&server), ["a", "c"]);
}

#[tokio::test]
async fn an_array_that_is_not_closed_is_refused_whole() {
    let server = start().await;
    server
        .post(PATH, r#"[{"userId":"jo","message":1},"#)
        .await
        .require_problem(400, &["JSON array", "line 1"]);
    assert!(ids(&server).is_empty());
}

#[tokio::test]
async fn lines_are_taken_one_by_one_in_order() {
    let server = start().await;
    let mut lines = String::new();
    for n in 0..2_500 {
        write!(lines, "{{\"id\":\"{n}\",\"userId\":\"jo\",\"message\":{n}}}\r\n\n").unwrap();
    }
    let answer = server.send("POST", PATH, &["content-type: application/x-ndjson"], lines.as_bytes()).await;
    let json = answer.json();
    assert_eq!((&json["accepted"], &json["refused"]), (&json!(2_500), &json!(0)));
    assert_eq!(json["results"][2_499]["id"], "2499");
    assert_eq!(ids(&server), (0..2_500).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_summary_names_only_what_was_refused() {
    let server = start().await;
    let body = r#"[{"userId":"jo","message":1},{"userId":""},{"userId":"jo","message":2}]"#;
    let json = server.post("/v1/notifications?ack=summary", body).await.json();
    assert_eq!((&json["accepted"], &json["refused"], &json["duplicates"]), (&json!(2), &json!(1), &json!(0)));
    assert_eq!(json["errors"][0]["index"], 1);
    assert_eq!(json["errors"].as_array().unwrap().len(), 1);
    server.post("/v1/notifications?ack=never", body).await.require_problem(400, &["each", "summary"]);
}

#[tokio::test]
async fn no_entries_are_no_error() {
    let server = start().await;
    assert_eq!(server.post(PATH, " [ ] ").await.json()["results"], json!([]));
}

#[tokio::test]
async fn too_many_entries_are_refused_from_there_on() {
    let server = start().await;
    let body = format!("[{}0]", "0,".repeat(100_000));
    let json = server.post("/v1/notifications?ack=summary", body).await.json();
    assert_eq!(json["refused"], 100_001);
    assert!(json["errors"][100_000]["error"]["detail"].as_str().unwrap().contains("100000"));
}

#[tokio::test]
async fn a_store_that_can_not_accept_is_answered_as_such() {
    let server = start().await;
    for (error, status, word) in [
        (AcceptError::DiskFull, 507, "disk"),
        (AcceptError::Unavailable, 503, "send it again"),
        (AcceptError::ShuttingDown, 503, "shutting down"),
    ] {
        *server.world.failing.lock().unwrap() = Some(error);
        server.post(PATH, r#"{"userId":"jo","message":1}"#).await.require_problem(status, &[word]);
        server.post(PATH, r#"[{"userId":"jo","message":1}]"#).await.require_problem(status, &[word]);
    }
}

#[tokio::test]
async fn an_encoded_body_is_refused() {
    let server = start().await;
    let answer = server.send("POST", PATH, &["content-encoding: gzip"], b"x").await;
    answer.require_problem(415, &["Content-Encoding"]);
}

#[tokio::test]
async fn unknown_routes_and_methods_are_told() {
    let server = start().await;
    server.get("/v1/nothing").await.require_problem(404, &["/v1/nothing", "/v1/notifications"]);
    server.get("/nothing").await.require_problem(404, &["/nothing"]);
    server.send("POST", "/v1/guest", &[], b"").await.require_problem(404, &["guests"]);
    let answer = server.get(PATH).await;
    answer.require_problem(405, &["GET", "Allow"]);
    assert_eq!(answer.header("allow"), Some("POST"));
}

#[tokio::test]
async fn health_and_readiness() {
    let server = start().await;
    assert_eq!(server.get("/healthz").await.status, 200);
    assert_eq!(server.get("/readyz").await.status, 200);
    server.world.not_ready.store(true, Ordering::SeqCst);
    server.get("/readyz").await.require_problem(503, &["being opened"]);
    server.get("/metrics").await.require_problem(503, &["not recorded"]);
}
