//! Requests for the history, answered from a fake history.

use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use contract_connections_v1::ConnectionId;
use contract_history_v1::{MessageKey, MessageRow, SessionKey, SessionRow};
use contract_notifications_v1::Timestamp;
use serde_json::{Value, json};
use ws_edge::ports::{HistoryPage, NoHistory};

use super::*;

const SESSIONS: &str = include_str!("../../events/history-sessions.json");
const SESSION: &str = include_str!("../../../../../contracts/history/v1/fixtures/session.json");
const MESSAGE: &str = include_str!("../../../../../contracts/history/v1/fixtures/message.json");

/// A history with one session and one message, which claims to have more.
#[derive(Default)]
struct Fake {
    error: Option<fn() -> PortError>,
    asked: Mutex<Vec<String>>,
}

impl Fake {
    fn page<Row: serde::de::DeserializeOwned>(
        &self,
        asked: String,
        row: &str,
    ) -> Result<HistoryPage<Row>, PortError> {
        self.asked.lock().unwrap().push(asked);
        match self.error {
            Some(error) => Err(error()),
            None => Ok(HistoryPage { rows: vec![serde_json::from_str(row).unwrap()], more: true }),
        }
    }
}

impl History for Fake {
    fn lifetime(&self) -> Option<Duration> {
        Some(Duration::from_secs(1))
    }

    async fn session_opened(&self, _: &SessionRow) -> Result<(), PortError> {
        Ok(())
    }

    async fn session_closed(
        &self,
        _: &UserId,
        _: Timestamp,
        _: &ConnectionId,
        _: Timestamp,
    ) -> Result<(), PortError> {
        Ok(())
    }

    async fn sessions(
        &self,
        user: &UserId,
        page: &PageRequest<SessionKey>,
    ) -> Result<HistoryPage<SessionRow>, PortError> {
        let before = page.before.as_ref().map(ToString::to_string);
        self.page(format!("{user} sessions {before:?} {}", page.limit), SESSION)
    }

    async fn messages(
        &self,
        user: &UserId,
        page: &PageRequest<MessageKey>,
    ) -> Result<HistoryPage<MessageRow>, PortError> {
        let before = page.before.as_ref().map(ToString::to_string);
        self.page(format!("{user} messages {before:?} {}", page.limit), MESSAGE)
    }
}

/// Returns the status and the JSON body of the answer.
fn ask(history: &impl History, event: Value) -> (u64, Value) {
    let event: HistoryEvent = serde_json::from_value(event).unwrap();
    let mut future = pin!(answer(history, event));
    let Poll::Ready(answer) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("the fake history never waits")
    };
    let answer = serde_json::to_value(&answer).unwrap();
    assert_eq!(answer["headers"]["Content-Type"], "application/json");
    let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    (answer["statusCode"].as_u64().unwrap(), body)
}

/// Returns the sample event with a change.
fn event(change: impl FnOnce(&mut Value)) -> Value {
    let mut event = serde_json::from_str(SESSIONS).unwrap();
    change(&mut event);
    event
}

#[test]
fn sample_event_gets_a_page() {
    let fake = Fake::default();
    let (status, body) = ask(&fake, event(|_| {}));
    assert_eq!(status, 200);
    assert_eq!(body["items"][0]["sourceIp"], "203.0.113.7");
    assert_eq!(body["next"], "session#001767225600000#L0SM9cOFvHcCIhw=");
    let expected = r#"auth0|alice sessions Some("session#001767225700000#L0SM9cOFvHcCIhw=") 10"#;
    assert_eq!(fake.asked.into_inner().unwrap(), [expected]);
}

#[test]
fn messages_include_their_payloads() {
    let fake = Fake::default();
    let (status, body) = ask(
        &fake,
        event(|event| {
            event["pathParameters"]["kind"] = json!("messages");
            event["queryStringParameters"] = Value::Null;
        }),
    );
    assert_eq!((status, &body["items"][0]["payload"]["orderId"]), (200, &json!(1_042)));
    assert_eq!(fake.asked.into_inner().unwrap(), ["auth0|alice messages None 50"]);
}

#[test]
fn invalid_requests_are_refused() {
    let fake = Fake::default();
    for (at, value, status, word) in [
        ("/pathParameters/kind", json!("users"), 404, "\"messages\""),
        ("/pathParameters/userId", json!("a%09b"), 400, "user id"),
        ("/pathParameters", Value::Null, 404, "there is no history of"),
        ("/queryStringParameters/limit", json!("101"), 400, "1 to 100"),
        ("/queryStringParameters/before", json!("x"), 400, "before"),
    ] {
        let (found, body) = ask(&fake, event(|event| *event.pointer_mut(at).unwrap() = value));
        assert_eq!(
            (found, &body["requestId"]),
            (status, &json!("c6af9ac6-7b61-11e6-9a41-93e8deadbeef")),
            "{at}"
        );
        assert!(body["message"].as_str().unwrap().contains(word), "{body}");
    }
    assert!(fake.asked.into_inner().unwrap().is_empty());
}

#[test]
fn disabled_or_failing_history_is_reported() {
    let (status, body) = ask(&NoHistory, event(|_| {}));
    assert_eq!(status, 404);
    assert!(body["message"].as_str().unwrap().contains("no history is kept"), "{body}");
    let retryable = || PortError::retryable("reading", "throttled");
    let permanent = || PortError::permanent("reading", "denied");
    for (error, expected) in [(retryable as fn() -> PortError, 503), (permanent, 500)] {
        let (status, body) = ask(&Fake { error: Some(error), ..Fake::default() }, event(|_| {}));
        assert_eq!(status, expected);
        assert!(!body.to_string().contains("denied"), "the answer must not reveal the cause");
    }
}
