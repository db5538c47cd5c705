//! Checks that version 1 keeps its published form: reading and writing a fixture gives the same bytes, and
//! the types generate the JSON Schema in `schema/`.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fmt::Debug;
use std::time::Duration;

use contract_connections_v1::ConnectionId;
use contract_history_v1::{
    HistoryKind, HistoryOutcome, MAX_USER_AGENT_CHARS, Message, MessageKey, MessageRow, Page, PageRequest,
    Session, SessionKey, SessionRow,
};
use contract_identity_v1::AuthenticationMethod;
use contract_notifications_v1::{
    Notification, NotificationId, Payload, Sequence, Timestamp, UserId, WhenOffline,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

const SESSION: &str = include_str!("../fixtures/session.json");
const MESSAGE: &str = include_str!("../fixtures/message.json");
const SESSIONS: &str = include_str!("../fixtures/sessions-page.json");
const MESSAGES: &str = include_str!("../fixtures/messages-page.json");
const MONTH: Duration = Duration::from_hours(30 * 24);

fn round_trip<T: Serialize + DeserializeOwned + Debug>(fixture: &str) -> T {
    let value: T = serde_json::from_str(fixture).unwrap();
    assert_eq!(serde_json::to_string(&value).unwrap(), fixture.trim_end());
    value
}

#[test]
fn session_has_its_published_form() {
    let row: SessionRow = round_trip(SESSION);
    let opened = Timestamp::from_millis(1_767_225_600_000);
    let connection = ConnectionId::new("L0SM9cOFvHcCIhw=");
    let alice = UserId::new("alice").unwrap();
    let mut made = SessionRow::opened(alice, connection, opened, AuthenticationMethod::Token, MONTH)
        .from_client("203.0.113.7", Some("Mozilla/5.0 (X11; Linux x86_64; rv:140.0)"));
    made.close(Timestamp::from_millis(1_767_225_725_250));
    assert_eq!(made, row);
    let page = Page::of_sessions(vec![row], false, usize::MAX);
    assert_eq!(page, round_trip(SESSIONS));
}

#[test]
fn message_has_its_published_form() {
    let row: MessageRow = round_trip(MESSAGE);
    let notification = Notification {
        id: NotificationId::new("order-1042").unwrap(),
        user_id: UserId::new("alice").unwrap(),
        payload: Payload::from_json(r#"{"orderId":1042,"weight":1.50e0}"#).unwrap(),
        sent_at: Timestamp::from_millis(1),
        expires_at: None,
        when_offline: WhenOffline::Hold,
        kind: Some("order.shipped".into()),
        source: Some("shop".into()),
    };
    let (sequence, at) =
        (Sequence::new(18_849_496_460_467_696_128), Timestamp::from_millis(1_767_225_600_123));
    let made = MessageRow::new(&notification, sequence, HistoryOutcome::Delivered, at, MONTH);
    assert_eq!(made.payload, None);
    assert_eq!(made.with_payload(&notification), row);
    assert!(!format!("{row:?}").contains("1042"), "neither a payload nor an id is shown");
    let page = Page::of_messages(vec![row], true, usize::MAX);
    assert_eq!(page, round_trip(MESSAGES));
}

#[test]
fn page_ends_at_its_size_with_a_cursor() {
    let row: MessageRow = serde_json::from_str(MESSAGE).unwrap();
    let mut large = row.clone();
    large.payload = Some(format!("{:?}", "x".repeat(300)));
    let rows = vec![row.clone(), row.clone(), row.clone(), large.clone()];
    let one = Page::of_messages(vec![row.clone()], false, usize::MAX);
    let bytes = serde_json::to_string(&one.items).unwrap().len();
    let page = Page::of_messages(rows.clone(), false, 2 * bytes);
    assert_eq!((page.items.len(), page.next), (2, Some(row.entry.to_string())));
    let all = Page::of_messages(rows, false, usize::MAX);
    assert_eq!((all.items.len(), all.next), (4, None));
    let alone = Page::of_messages(vec![large], false, 300);
    assert_eq!((alone.items.len(), &alone.items[0].payload), (1, &None));
}

#[test]
fn payload_that_is_not_json_becomes_a_string() {
    let mut row: MessageRow = serde_json::from_str(MESSAGE).unwrap();
    row.payload = Some("{".to_owned());
    assert_eq!(Message::from(row).payload.unwrap().get(), r#""{""#);
}

#[test]
fn long_user_agent_is_cut() {
    let row: SessionRow = serde_json::from_str(SESSION).unwrap();
    let agent = "ä".repeat(1_000);
    let kept = row.clone().from_client("::1", Some(&agent)).user_agent.unwrap();
    assert_eq!(kept.chars().count(), MAX_USER_AGENT_CHARS);
    assert_eq!(row.from_client("::1", None).user_agent, None);
}

#[test]
fn session_closed_before_it_opened_has_no_duration() {
    let mut row: SessionRow = serde_json::from_str(SESSION).unwrap();
    row.close(Timestamp::from_millis(1));
    assert_eq!((row.closed_at, row.duration_ms), (Some(Timestamp::from_millis(1)), Some(0)));
}

#[test]
fn page_request_has_a_cursor_and_a_limit() {
    let page = PageRequest::<SessionKey>::parse(None, None).unwrap();
    assert_eq!(page, PageRequest { before: None, limit: 50 });
    let cursor = "session#001767225600000#c";
    let page = PageRequest::<SessionKey>::parse(Some(cursor), Some("100")).unwrap();
    assert_eq!(page, PageRequest { before: Some(cursor.parse().unwrap()), limit: 100 });
    for limit in ["0", "101", "-1", "many", ""] {
        let error = PageRequest::<SessionKey>::parse(None, Some(limit)).unwrap_err().to_string();
        assert_eq!(error, format!("limit is {limit:?}; allowed are 1 to 100"));
    }
    let error = PageRequest::<MessageKey>::parse(Some(cursor), None).unwrap_err().to_string();
    assert!(error.starts_with("before: ") && error.contains("\"next\""), "{error}");
    assert_eq!("sessions".parse(), Ok(HistoryKind::Sessions));
    let error = "users".parse::<HistoryKind>().unwrap_err().to_string();
    assert_eq!(error, r#"there is no history of "users"; there are "sessions" and "messages""#);
}

#[test]
fn schemas_are_current() {
    for (name, schema) in [
        ("session", contract_schema::schema_for!(SessionRow)),
        ("message", contract_schema::schema_for!(MessageRow)),
        ("sessions-page", contract_schema::schema_for!(Page<Session>)),
        ("messages-page", contract_schema::schema_for!(Page<Message>)),
    ] {
        let path = format!("{}/schema/{name}.json", env!("CARGO_MANIFEST_DIR"));
        contract_schema::assert_current(path, &schema);
    }
}
