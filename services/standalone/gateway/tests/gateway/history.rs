//! The routes of the history: who may read it, and what may be asked for.

use crate::fake_services::start;

const SESSIONS: &str = "/v1/history/jo%40example/sessions";

#[tokio::test]
async fn a_page_is_given_as_asked_for() {
    let server = start().await;
    let answer = server.get(SESSIONS).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"items":[],"next":null}"#));
    let cursor = format!("message#000000000000007#{:039}#held", 3);
    let query = format!("/v1/history/jo/messages?limit=100&before={}", cursor.replace('#', "%23"));
    let answer = server.get(&query).await;
    assert_eq!(answer.json(), serde_json::json!({ "items": [], "next": cursor }));
    let asked = server.world.histories.lock().unwrap().join("\n");
    assert!(
        asked.starts_with("jo@example PageRequest { before: None, limit: 50 }\njo PageRequest"),
        "{asked}"
    );
}

#[tokio::test]
async fn what_may_not_be_asked_for_is_refused() {
    let server = start().await;
    server.get("/v1/history/jo/users").await.require_problem(404, &["\"users\"", "\"messages\""]);
    server.get("/v1/history/jo").await.require_problem(404, &["/v1/history"]);
    server.get("/v1/history/j%20o/sessions").await.require_problem(400, &["user id", "allowed"]);
    for limit in ["0", "101", "x"] {
        let path = format!("{SESSIONS}?limit={limit}");
        server.get(&path).await.require_problem(400, &["limit", "1 to 100"]);
    }
    server.get(&format!("{SESSIONS}?before=x")).await.require_problem(400, &["before", "\"next\""]);
    let strange = server.send("GET", SESSIONS, &["authorization: Bearer another"], b"").await;
    strange.require_problem(403, &["API key"]);
    server.post(SESSIONS, "").await.require_problem(405, &["Allow"]);
    assert!(server.world.histories.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_history_that_is_off_or_down_says_so() {
    let server = start().await;
    let answer = server.get("/v1/history/off/sessions").await;
    answer.require_problem(404, &["no history is kept", "history.enabled"]);
    assert_eq!(answer.json()["type"], "urn:tidings:problem:history-off");
    server.get("/v1/history/down/sessions").await.require_problem(503, &["try again"]);
}
