//! The routes of the history: parameters, authentication and errors.

use std::convert::identity;
use std::sync::{Arc, Mutex};

use contract_history_v1::{Message, MessageKey, Page, PageRequest, Session, SessionKey};
use contract_notifications_v1::UserId;
use shared_ports::PortError;
use tidings_gateway::server::HistoryReader;

use crate::test_server::{TestServer, replace, start, start_replacing};

const SESSIONS: &str = "/v1/history/jo%40example/sessions";

/// A history that remembers the requested pages. That of the user `down` fails.
#[derive(Clone, Default)]
struct FakeHistory(Arc<Mutex<Vec<String>>>);

impl HistoryReader for FakeHistory {
    fn is_kept(&self) -> bool {
        true
    }

    async fn sessions(
        &self,
        user: &UserId,
        page: &PageRequest<SessionKey>,
    ) -> Result<Option<Page<Session>>, PortError> {
        self.0.lock().unwrap().push(format!("{user} {page:?}"));
        match user.as_str() {
            "down" => Err(PortError::retryable("reading the history", "down")),
            _ => Ok(Some(Page { items: Vec::new(), next: None })),
        }
    }

    async fn messages(
        &self,
        user: &UserId,
        page: &PageRequest<MessageKey>,
    ) -> Result<Option<Page<Message>>, PortError> {
        self.0.lock().unwrap().push(format!("{user} {page:?}"));
        Ok(Some(Page { items: Vec::new(), next: page.before.map(|key| key.to_string()) }))
    }
}

fn start_with_history() -> (TestServer, FakeHistory) {
    let history = FakeHistory::default();
    let server =
        start_replacing(|real, _| replace(real, identity, identity, |_| history.clone(), identity, identity));
    (server, history)
}

#[tokio::test]
async fn requested_page_is_read() {
    let (server, history) = start_with_history();
    let answer = server.get(SESSIONS).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"items":[],"next":null}"#));
    let cursor = format!("message#000000000000007#{:039}#held", 3);
    let query = format!("/v1/history/jo/messages?limit=100&before={}", cursor.replace('#', "%23"));
    let answer = server.get(&query).await;
    assert_eq!(answer.json(), serde_json::json!({ "items": [], "next": cursor }));
    let requested = history.0.lock().unwrap().join("\n");
    assert!(
        requested.starts_with("jo@example PageRequest { before: None, limit: 50 }\njo PageRequest"),
        "{requested}"
    );
}

#[tokio::test]
async fn invalid_history_requests_are_refused() {
    let (server, history) = start_with_history();
    server.get("/v1/history/jo/users").await.require_problem(404, &["\"users\"", "\"messages\""]);
    server.get("/v1/history/jo").await.require_problem(404, &["/v1/history"]);
    server.get("/v1/history/j%09o/sessions").await.require_problem(400, &["user id", "allowed"]);
    for limit in ["0", "101", "x"] {
        let path = format!("{SESSIONS}?limit={limit}");
        server.get(&path).await.require_problem(400, &["limit", "1 to 100"]);
    }
    server.get(&format!("{SESSIONS}?before=x")).await.require_problem(400, &["before", "\"next\""]);
    let strange = server.send("GET", SESSIONS, &["authorization: Bearer another"], b"").await;
    strange.require_problem(403, &["API key"]);
    server.post(SESSIONS, "").await.require_problem(405, &["Allow"]);
    assert!(history.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn history_that_is_off_or_down_has_its_error() {
    let server = start();
    let answer = server.get("/v1/history/jo/sessions").await;
    answer.require_problem(404, &["no history is kept", "history.enabled"]);
    assert_eq!(answer.json()["type"], "urn:tidings:problem:history-off");
    let (server, _) = start_with_history();
    server.get("/v1/history/down/sessions").await.require_problem(503, &["try again"]);
}
