//! The producer API, with a test for each invalid input.

use std::convert::identity;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use contract_notifications_v1::UnknownFields;
use serde_json::json;
use shared_ports::{Clock as _, SystemClock};
use tidings_gateway::server::{Acceptance, Ports, Readiness, Settings};
use tidings_sockets::Limits;
use tidings_store::{AcceptError, Accepted, Submission};

use crate::test_server::{TestServer, replace, start, start_replacing, start_with};

const PATH: &str = "/v1/notifications";

fn ids(server: &TestServer) -> Vec<String> {
    server.take_queued().iter().map(|notification| notification.id.to_string()).collect()
}

/// The runtime's acceptance. It remembers the submissions, or fails if an error is set.
struct WatchedAcceptance {
    inner: <tidings_gateway::runtime::RuntimePorts as Ports>::Acceptance,
    submissions: Arc<Mutex<Vec<Submission>>>,
    error: Option<AcceptError>,
}

impl Acceptance for WatchedAcceptance {
    async fn accept(&self, submissions: Vec<Submission>) -> Result<Vec<Accepted>, AcceptError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.submissions.lock().unwrap().extend(submissions.iter().cloned());
        self.inner.accept(submissions).await
    }
}

fn start_watched(error: Option<AcceptError>) -> (TestServer, Arc<Mutex<Vec<Submission>>>) {
    let submissions = Arc::<Mutex<Vec<Submission>>>::default();
    let watch = |inner| WatchedAcceptance { inner, submissions: Arc::clone(&submissions), error };
    let server = start_replacing(|real, _| replace(real, watch, identity, identity, identity, identity));
    (server, submissions)
}

#[tokio::test]
async fn one_notification_is_accepted() {
    let server = start();
    let answer = server.post(PATH, r#"{"id":"n\"1","userId":"jo","payload":{"a":1}}"#).await;
    assert_eq!(answer.status, 202);
    let sequence = "000000000000000000000000000000000000001";
    assert_eq!(answer.json(), json!({"id": "n\"1", "sequence": sequence, "duplicate": false}));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let again = server.post(PATH, r#"{"id":"n\"1","userId":"jo","payload":{"a":1}}"#).await;
    assert_eq!(again.json()["duplicate"], true);
}

#[tokio::test]
async fn own_ids_are_not_deduplicated() {
    let (server, submissions) = start_watched(None);
    assert_eq!(server.post(PATH, r#"{"userId":"jo","message":"hi"}"#).await.status, 202);
    assert_eq!(server.post("/message", r#"{"userId":"jo","message":"hi"}"#).await.status, 202);
    let accepted = submissions.lock().unwrap();
    assert_eq!(accepted.len(), 2);
    assert!(accepted.iter().all(|submission| !submission.deduplicate));
    assert_ne!(accepted[0].notification.id, accepted[1].notification.id);
    assert_eq!(accepted[0].notification.id.as_str().as_bytes()[14], b'7');
}

#[tokio::test]
async fn malformed_json_is_refused() {
    let server = start();
    server.post(PATH, "hello").await.require_problem(400, &["not a valid JSON notification", "line 1"]);
    server.post(PATH, "").await.require_problem(400, &["not a valid JSON"]);
    server.post("/message", "[1]").await.require_problem(400, &["not a valid JSON notification"]);
}

#[tokio::test]
async fn refusal_names_the_field_and_what_is_allowed() {
    let server = start();
    for (field, value, allowed) in [
        ("whenOffline", r#""x""#, r#""hold" or "drop""#),
        ("userId", "5", "a text"),
        ("kind", "5", "a text"),
        ("expiresAt", r#""soon""#, "milliseconds since 1970"),
    ] {
        let rest = if field == "userId" { "" } else { r#""userId":"jo","# };
        let body = format!(r#"{{{rest}"payload":1,"{field}":{value}}}"#);
        for path in [PATH, "/message"] {
            server.post(path, body.clone()).await.require_problem(400, &[&format!("{field:?} is"), allowed]);
        }
        let many = server.post(PATH, format!("[{body},7]")).await.json();
        let detail = |index: usize| many["results"][index]["error"]["detail"].as_str().unwrap().to_owned();
        assert!(detail(0).contains(&format!("{field:?} is")) && detail(0).contains(allowed), "{many}");
        assert!(detail(1).contains("it is a number, and must be an object"), "{many}");
    }
}

#[tokio::test]
async fn lines_without_their_content_type_are_explained() {
    let server = start();
    let line = r#"{"userId":"jo","payload":1}"#;
    for body in [format!("{line}\n{line}\n"), format!("{{\"userId\":5}}\n{line}")] {
        server
            .post(PATH, body)
            .await
            .require_problem(400, &["several", "Content-Type: application/x-ndjson"]);
    }
    // Anything else behind the object is a mistake of another kind.
    server.post(PATH, format!("{line}x")).await.require_problem(400, &["not a valid JSON", "trailing"]);
}

#[tokio::test]
async fn malformed_utf8_is_refused() {
    let server = start();
    server.post(PATH, b"{\"userId\":\"\xff\"}").await.require_problem(400, &["UTF-8", "11"]);
}

#[tokio::test]
async fn illegal_user_id_is_refused() {
    let server = start();
    let answer = server.post(PATH, r#"{"userId":"j\to","message":1}"#).await;
    answer.require_problem(400, &["user id", "position 1", "allowed"]);
    let answer = server.post(PATH, r#"{"userId":"u8:jo","message":1}"#).await;
    answer.require_problem(400, &["user id", "u8:", "base64url"]);
    let answer = server.post(PATH, json!({"userId": "é".repeat(47), "message": 1}).to_string()).await;
    answer.require_problem(400, &["94 bytes", "at most 93"]);
}

#[tokio::test]
async fn oversized_user_id_is_refused() {
    let server = start();
    let answer = server.post(PATH, json!({"userId": "x".repeat(129), "message": 1}).to_string()).await;
    answer.require_problem(400, &["129 characters", "1 to 128"]);
}

#[tokio::test]
async fn missing_user_is_refused() {
    let server = start();
    server.post(PATH, r#"{"message":1}"#).await.require_problem(400, &["userId", "missing"]);
}

#[tokio::test]
async fn unknown_version_is_refused() {
    let server = start();
    let answer = server.post(PATH, r#"{"version":9,"userId":"jo","message":1}"#).await;
    answer.require_problem(400, &["version 9", "known is version 1"]);
}

#[tokio::test]
async fn size_limit_counts_the_envelope() {
    let server = start();
    let body = |bytes: usize| json!({"id": "n", "userId": "jo", "payload": "x".repeat(bytes)}).to_string();
    // The frame is `{"type":"notification","id":"n","sequence":"<39>","sentAt":<13>,"payload":"…","replayed":false}`.
    let fits = 128 * 1024 - 140;
    assert_eq!(server.post(PATH, body(fits)).await.status, 202);
    server
        .post(PATH, body(128 * 1024 - 60))
        .await
        .require_problem(413, &["envelope", "allowed are at most 131072"]);
}

#[tokio::test]
async fn oversized_body_is_refused() {
    let settings = Settings { max_body_bytes: 1_000, max_bulk_body_bytes: 5_000, ..Settings::default() };
    let server = start_with(settings, Limits::default(), None);
    let one = json!({"userId": "jo", "message": "x".repeat(1_000)}).to_string();
    server.post(PATH, &one).await.require_problem(413, &["at most 1000 bytes"]);
    let many = format!("[{one},{one},{one},{one},{one}]");
    server.post(PATH, &many).await.require_problem(413, &["at most 5000 bytes"]);
    assert_eq!(server.post(PATH, format!("[{one},{one}]")).await.json()["accepted"], 2);
}

#[tokio::test]
async fn wrong_api_key_is_refused_before_the_body() {
    let server = start();
    // The announced body never comes.
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
        answer.push(crate::test_server::within(socket.read_u8()).await.unwrap());
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn missing_credential_is_refused() {
    let server = start();
    let answer = server.send("POST", PATH, &["authorization: Basic eDp5"], b"{}").await;
    answer.require_problem(401, &["Bearer", "X-Api-Key", "Signature Version 4"]);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    let open = Settings { authenticate: false, ..Settings::default() };
    let server = start_with(open, Limits::default(), None);
    let body = br#"{"userId":"jo","message":1}"#;
    assert_eq!(server.send("POST", PATH, &["authorization: none"], body).await.status, 202);
}

#[tokio::test]
async fn unknown_field_is_refused_with_its_name() {
    let server = start();
    let body = r#"{"id":"n","userId":"jo","payload":1,"expiresat":1}"#;
    let words = ["\"expiresat\" is unknown", "\"expiresAt\""];
    server.post(PATH, body).await.require_problem(400, &words);
    server.post("/message", body).await.require_problem(400, &words);
    for (headers, body) in
        [(&[][..], format!("[{body}]")), (&["content-type: application/x-ndjson"], format!("{body}\n"))]
    {
        let answer = server.send("POST", PATH, headers, body.as_bytes()).await;
        let detail = answer.json()["results"][0]["error"]["detail"].as_str().unwrap().to_owned();
        assert!(words.iter().all(|word| detail.contains(word)), "{detail}");
    }
    assert!(ids(&server).is_empty());
    let settings = Settings { unknown_fields: UnknownFields::Ignore, ..Settings::default() };
    let server = start_with(settings, Limits::default(), None);
    assert_eq!(server.post(PATH, body).await.status, 202);
    assert_eq!(server.post(PATH, format!("[{body}]")).await.json()["accepted"], 1);
}

#[tokio::test]
async fn expiry_in_the_past_or_in_seconds_is_refused() {
    let server = start();
    let body = |expires_at: u64| json!({"userId": "jo", "payload": 1, "expiresAt": expires_at}).to_string();
    let now = SystemClock.now().millis();
    server.post(PATH, body(now - 1)).await.require_problem(400, &["expiresAt", "is past"]);
    server.post(PATH, body(now / 1_000 + 60)).await.require_problem(400, &["not in seconds"]);
    assert_eq!(server.post(PATH, format!("[{}]", body(now - 1))).await.json()["refused"], 1);
    assert!(ids(&server).is_empty());
    assert_eq!(server.post(PATH, body(now + 60_000)).await.status, 202);
}

#[tokio::test]
async fn byte_order_mark_is_no_part_of_the_body() {
    let server = start();
    let line = |id: &str| format!("\u{feff}{{\"id\":\"{id}\",\"userId\":\"jo\",\"payload\":1}}\r\n");
    assert_eq!(server.post(PATH, line("a")).await.status, 202);
    assert_eq!(server.post(PATH, "\u{feff}[]").await.json()["accepted"], 0);
    // Two files, joined.
    let lines = line("b") + &line("c");
    let answer = server.send("POST", PATH, &["content-type: application/x-ndjson"], lines.as_bytes()).await;
    assert_eq!(answer.json()["accepted"], 2, "{answer:?}");
    assert_eq!(ids(&server), ["a", "b", "c"]);
    assert_eq!(server.post("/v1/token", "\u{feff}{\"userId\":\"jo\"}").await.status, 200);
}

#[tokio::test]
async fn key_beside_another_scheme_is_accepted() {
    let server = start();
    let body = br#"{"userId":"jo","payload":1}"#;
    let key = format!("x-api-key: {}", server.key);
    let basic = "authorization: Basic am86c2VjcmV0";
    assert_eq!(server.send("POST", PATH, &[basic, &key], body).await.status, 202);
    let answer = server.send("POST", PATH, &[basic], body).await;
    answer.require_problem(401, &["of a known kind in \"Authorization\"", "X-Api-Key"]);
    server.send("POST", PATH, &[basic, "x-api-key: wrong"], body).await.require_problem(403, &["API key"]);
    let bearer = "authorization: Bearer wrong";
    server.send("POST", PATH, &[bearer, &key], body).await.require_problem(403, &["API key"]);
}

#[tokio::test]
async fn signature_covers_the_body() {
    let server = start();
    let signed = server.sign("test", PATH, "signed");
    let signed: Vec<_> = signed.iter().map(String::as_str).collect();
    server.send("POST", PATH, &signed, b"signed").await.require_problem(400, &["not a valid JSON"]);
    server.send("POST", PATH, &signed, b"altered").await.require_problem(403, &["signature"]);
}

#[tokio::test]
async fn invalid_entry_does_not_stop_the_others() {
    let server = start();
    let body = r#"[{"id":"a","userId":"jo","message":1},{"userId":"j\no","message":2},7,{"id":"c","userId":"jo","message":3}]"#;
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
async fn unclosed_array_is_refused_whole() {
    let server = start();
    server
        .post(PATH, r#"[{"userId":"jo","message":1},"#)
        .await
        .require_problem(400, &["JSON array", "line 1"]);
    assert!(ids(&server).is_empty());
}

#[tokio::test]
async fn lines_are_accepted_in_order() {
    let server = start();
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
async fn summary_lists_refused_entries_only() {
    let server = start();
    let body = r#"[{"userId":"jo","message":1},{"userId":""},{"userId":"jo","message":2}]"#;
    let json = server.post("/v1/notifications?ack=summary", body).await.json();
    assert_eq!((&json["accepted"], &json["refused"], &json["duplicates"]), (&json!(2), &json!(1), &json!(0)));
    assert_eq!(json["errors"][0]["index"], 1);
    assert_eq!(json["errors"].as_array().unwrap().len(), 1);
    server.post("/v1/notifications?ack=never", body).await.require_problem(400, &["each", "summary"]);
}

#[tokio::test]
async fn empty_array_is_accepted() {
    let server = start();
    assert_eq!(server.post(PATH, " [ ] ").await.json()["results"], json!([]));
}

#[tokio::test]
async fn entries_beyond_the_limit_are_refused() {
    let server = start();
    let entry = r#"{"userId":"jo","payload":1}"#;
    let body = format!("[{}{entry}]", format!("{entry},").repeat(100_000));
    let json = server.post("/v1/notifications?ack=summary", body).await.json();
    assert_eq!((&json["accepted"], &json["refused"]), (&json!(100_000), &json!(1)));
    assert_eq!(json["errors"][0]["index"], 100_000);
    assert!(json["errors"][0]["error"]["detail"].as_str().unwrap().contains("100000"));
}

#[tokio::test]
async fn a_thousand_refusals_end_the_body() {
    let server = start();
    let json = server.post(PATH, format!("[{}0]", "0,".repeat(3_000))).await.json();
    assert_eq!((&json["accepted"], &json["refused"]), (&json!(0), &json!(1_001)));
    let detail = json["results"][1_000]["error"]["detail"].as_str().unwrap();
    assert!(detail.contains("were not read"), "{detail}");
}

#[tokio::test]
async fn store_failures_have_their_status() {
    for (error, status, word) in [
        (AcceptError::DiskFull, 507, "disk"),
        (AcceptError::Unavailable, 503, "send it again"),
        (AcceptError::ShuttingDown, 503, "shutting down"),
    ] {
        let (server, _) = start_watched(Some(error));
        server.post(PATH, r#"{"userId":"jo","message":1}"#).await.require_problem(status, &[word]);
        server.post(PATH, r#"[{"userId":"jo","message":1}]"#).await.require_problem(status, &[word]);
    }
}

#[tokio::test]
async fn encoded_body_is_refused() {
    let server = start();
    let answer = server.send("POST", PATH, &["content-encoding: gzip"], b"x").await;
    answer.require_problem(415, &["Content-Encoding"]);
    let answer = server.send("POST", PATH, &["transfer-encoding: gzip, chunked"], b"0\r\n\r\n").await;
    answer.require_problem(501, &["Transfer-Encoding: chunked"]);
    let answer = server.send("POST", "/v1/token", &["content-encoding: identity, gzip"], b"x").await;
    answer.require_problem(415, &["Content-Encoding"]);
    for plain in ["content-encoding: Identity", "content-encoding: identity,IDENTITY", "content-encoding:"] {
        let answer = server.send("POST", PATH, &[plain], br#"{"userId":"jo","payload":1}"#).await;
        assert_eq!(answer.status, 202, "{plain}");
    }
}

#[tokio::test]
async fn unknown_routes_and_methods_are_refused() {
    let server = start();
    server.get("/v1/nothing").await.require_problem(404, &["/v1/nothing", "/v1/notifications"]);
    server.get("/nothing").await.require_problem(404, &["/nothing"]);
    server.send("POST", "/v1/guest", &[], b"").await.require_problem(404, &["guests"]);
    let answer = server.get(PATH).await;
    answer.require_problem(405, &["GET", "Allow"]);
    assert_eq!(answer.header("allow"), Some("POST"));
}

/// A store that is not ready.
struct NotReady;

impl Readiness for NotReady {
    fn ready(&self) -> Result<(), String> {
        Err("the store is being opened".to_owned())
    }
}

#[tokio::test]
async fn health_and_readiness_are_separate() {
    let server = start();
    assert_eq!(server.get("/healthz").await.status, 200);
    assert_eq!(server.get("/readyz").await.status, 200);
    server.get("/metrics").await.require_problem(503, &["not recorded"]);
    let server =
        start_replacing(|real, _| replace(real, identity, identity, identity, identity, |_| NotReady));
    assert_eq!(server.get("/healthz").await.status, 200);
    server.get("/readyz").await.require_problem(503, &["being opened"]);
}
