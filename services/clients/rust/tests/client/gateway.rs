//! Tests of the HTTP client against a gateway that fails on purpose.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use contract_notifications_v1::{Notification, NotificationId, NotificationRequest, Timestamp, UserId};
use serde_json::{Value, json};
use tidings_client::{ClientError, Gateway, Outcome};

/// Answers requests from a script, last entry first, and records their bodies.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<Vec<(u16, Value)>>>,
    requests: Arc<Mutex<Vec<String>>>,
}

async fn answer(State(script): State<Script>, headers: HeaderMap, body: String) -> Response {
    assert_eq!(headers["authorization"], "Bearer key");
    script.requests.lock().unwrap().push(body);
    let (status, body) = script.answers.lock().unwrap().pop().expect("an answer");
    (StatusCode::from_u16(status).unwrap(), body.to_string()).into_response()
}

async fn gateway(answers: impl IntoIterator<Item = (u16, Value)>) -> (Gateway, Script) {
    let mut answers: Vec<_> = answers.into_iter().collect();
    answers.reverse();
    let script = Script { answers: Arc::new(Mutex::new(answers)), ..Script::default() };
    let router = Router::new()
        .route("/v1/notifications", post(answer))
        .route("/v1/token", post(answer))
        .with_state(script.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (Gateway::new(&url).unwrap().with_api_key("key").with_attempts(3), script)
}

fn notification(id: &str) -> Notification {
    NotificationRequest::from_json(
        r#"{"userId":"u","payload":{"a":
        1}}"#,
    )
    .unwrap()
    .complete(|| NotificationId::new(id).unwrap(), Timestamp::from_millis(1))
}

fn accepted(id: &str, sequence: u32) -> Value {
    json!({ "id": id, "sequence": sequence.to_string(), "duplicate": false })
}

fn ids(body: &str) -> Vec<String> {
    body.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn retry_keeps_the_id() {
    let (gateway, script) = gateway([(503, json!({})), (202, accepted("a", 1))]).await;
    let answer = gateway.send(&notification("a")).await.unwrap();
    assert_eq!((answer.id.as_str(), answer.sequence.number()), ("a", 1));
    let requests = script.requests.lock().unwrap();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0], requests[1]);
}

#[tokio::test]
async fn only_entries_without_outcome_are_retried() {
    let busy = json!({ "error": { "status": 503, "title": "Busy" } });
    let bad = json!({ "error": { "status": 400, "title": "Bad", "detail": "no such thing" } });
    let (gateway, script) = gateway([
        (429, json!({})),
        (200, json!({ "results": [accepted("a", 1), bad, busy] })),
        (200, json!({ "results": [accepted("c", 2)] })),
    ])
    .await;
    let notifications = ["a", "b", "c"].map(notification);
    let mut reported = 0;
    let outcomes = gateway.send_many(&notifications, |count| reported += count).await;
    assert_eq!(reported, 3);
    assert!(matches!(&outcomes[0], Outcome::Accepted(a) if a.id.as_str() == "a"));
    assert!(matches!(&outcomes[1], Outcome::Refused(problem) if problem.to_string() == "no such thing"));
    assert!(matches!(&outcomes[2], Outcome::Accepted(a) if a.sequence.number() == 2));
    let requests = script.requests.lock().unwrap();
    assert_eq!(ids(&requests[0]), ["a", "b", "c"]);
    assert_eq!(ids(&requests[1]), ["a", "b", "c"]);
    assert_eq!(ids(&requests[2]), ["c"]);
}

#[tokio::test]
async fn entry_without_answer_has_unknown_outcome() {
    let busy = json!({ "error": { "status": 503 } });
    let (gateway, _) = gateway([
        (200, json!({ "results": [accepted("a", 1), busy] })),
        (503, json!({ "detail": "later" })),
        (503, json!({ "detail": "later" })),
    ])
    .await;
    let outcomes = gateway.send_many(&["a", "b"].map(notification), |_| {}).await;
    assert!(matches!(&outcomes[0], Outcome::Accepted(_)));
    assert!(matches!(&outcomes[1], Outcome::Unknown(error) if error.to_string().contains("later")));
}

#[tokio::test]
async fn answer_with_wrong_count_is_refused() {
    let (gateway, _) = gateway([(200, json!({ "results": [] }))]).await;
    let outcomes = gateway.send_many(&["a"].map(notification), |_| {}).await;
    assert!(matches!(&outcomes[0], Outcome::Unknown(error) if matches!(**error, ClientError::Answer { .. })));
}

#[tokio::test]
async fn many_notifications_take_several_requests() {
    let results = |range: std::ops::Range<u32>| json!({ "results": range.map(|n| accepted(&n.to_string(), n)).collect::<Vec<_>>() });
    let (gateway, script) = gateway([(200, results(0..500)), (200, results(500..501))]).await;
    let notifications: Vec<_> = (0..501).map(|n| notification(&n.to_string())).collect();
    let outcomes = gateway.send_many(&notifications, |_| {}).await;
    assert_eq!(outcomes.len(), 501);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Accepted(_))));
    assert_eq!(script.requests.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn wrong_key_is_not_retried() {
    let (gateway, script) = gateway([(401, json!({ "detail": "wrong key" }))]).await;
    let error = gateway.token(&UserId::new("u").unwrap()).await.unwrap_err();
    assert!(matches!(&error, ClientError::Unauthorised(problem) if problem.to_string() == "wrong key"));
    assert_eq!(script.requests.lock().unwrap().len(), 1);
}
