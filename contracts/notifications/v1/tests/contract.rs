//! Checks that version 1 keeps its published form: reading and writing a fixture gives the same bytes, and
//! the types generate the JSON Schema in `schema/`.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use contract_notifications_v1::{
    FanOut, HubName, InvalidNotification, Notification, NotificationId, NotificationRequest, Payload,
    QueueEntry, Replay, Sequence, Timestamp, UnknownFields, UserId, WhenOffline,
};

const NOTIFICATION: &str = include_str!("../fixtures/notification.json");
const MINIMAL: &str = include_str!("../fixtures/notification-minimal.json");
const REPLAY: &str = include_str!("../fixtures/replay.json");
const FAN_OUT: &str = include_str!("../fixtures/fan-out.json");
const SOURCE_SYSTEM_BODY: &str = include_str!("../fixtures/source-system-body.json");

fn id(text: &str) -> NotificationId {
    NotificationId::new(text).unwrap()
}

fn read(body: &str) -> Result<QueueEntry, InvalidNotification> {
    QueueEntry::from_json(body, || id("queue-id"), Timestamp::from_millis(7))
}

#[test]
fn fixtures_round_trip() {
    for fixture in [NOTIFICATION, MINIMAL, REPLAY, FAN_OUT] {
        assert_eq!(read(fixture).unwrap().to_json(), fixture.trim_end());
    }
}

#[test]
fn notification_fixture_has_the_expected_values() {
    let expected = Notification {
        id: id("order-1042"),
        user_id: UserId::new("alice").unwrap(),
        payload: Payload::from_json(r#"{"orderId":1042,"state":"shipped","weight":1.50e0}"#).unwrap(),
        sent_at: Timestamp::from_millis(1_767_225_600_000),
        expires_at: Some(Timestamp::from_millis(1_767_312_000_000)),
        when_offline: WhenOffline::Hold,
        kind: Some("order.shipped".into()),
        source: Some("warehouse".into()),
    };
    assert_eq!(read(NOTIFICATION).unwrap(), QueueEntry::Notification(expected));
}

#[test]
fn replay_fixture_has_the_expected_values() {
    let sequence = Sequence::new(18_870_468_484_902_911_999);
    let expected = Replay { user_id: UserId::new("alice").unwrap(), sequence };
    assert_eq!(read(REPLAY).unwrap(), QueueEntry::Replay(expected));
}

#[test]
fn fan_out_fixture_has_the_expected_values() {
    let user = |text| UserId::new(text).unwrap();
    let expected = FanOut {
        hub: HubName::new("team").unwrap(),
        after: Some(user("bob")),
        except: Some(user("zoe")),
        id: id("hello-1"),
        payload: Payload::from_json(r#"{"message":"hello"}"#).unwrap(),
        sent_at: Timestamp::from_millis(1_767_225_600_000),
        expires_at: None,
        when_offline: WhenOffline::Drop,
        kind: Some("chat".into()),
        source: Some("user/alice".into()),
    };
    let entry = read(FAN_OUT).unwrap();
    assert_eq!(entry, QueueEntry::FanOut(expected.clone()));
    assert_eq!(entry.group(), "hub/team");
    let carol = expected.for_member(user("carol"));
    assert_eq!((carol.id, carol.user_id, carol.payload), (expected.id, user("carol"), expected.payload));
}

#[test]
fn source_system_body_is_a_request_and_an_entry() {
    let request = NotificationRequest::from_json(SOURCE_SYSTEM_BODY).unwrap();
    assert_eq!(request.payload.get(), "\"Serverless is cool!\"");
    let notification = request.complete(|| id("queue-id"), Timestamp::from_millis(7));
    assert_eq!(notification.when_offline, WhenOffline::Hold);
    assert_eq!(read(SOURCE_SYSTEM_BODY).unwrap(), QueueEntry::Notification(notification));
}

/// A producer may write the user as people do, or as the queue's group has it.
#[test]
fn user_is_read_in_both_forms() {
    for user in ["José Pérez", "u8:Sm9zw6kgUMOpcmV6"] {
        let entry = read(&format!(r#"{{"userId":"{user}","payload":1}}"#)).unwrap();
        assert_eq!(entry.group(), "u8:Sm9zw6kgUMOpcmV6");
        assert!(entry.to_json().contains(r#""userId":"u8:Sm9zw6kgUMOpcmV6""#));
    }
}

#[test]
fn unknown_fields_pass_and_versions_are_refused() {
    assert!(read(r#"{"userId":"a","payload":1,"colour":"red"}"#).is_ok());
    let error = read(r#"{"version":2,"userId":"a","payload":1}"#).unwrap_err();
    assert_eq!(error.to_string(), "version 2 is unknown; known is version 1");
}

#[test]
fn unknown_field_of_request_is_named() {
    let refuse = |body: &str| NotificationRequest::from_json_with(body, UnknownFields::Refuse);
    for fixture in [NOTIFICATION, MINIMAL, SOURCE_SYSTEM_BODY] {
        assert_eq!(refuse(fixture).unwrap(), NotificationRequest::from_json(fixture).unwrap());
    }
    for (field, expected) in [
        ("expiresat", r#"the field "expiresat" is unknown; did you mean "expiresAt"?"#),
        ("when_offline", r#"the field "when_offline" is unknown; did you mean "whenOffline"?"#),
        ("deliverAfter", r#"the field "deliverAfter" is unknown; known are userId, payload"#),
        ("sequence", r#"the field "sequence" is unknown"#),
    ] {
        let body = format!(r#"{{"userId":"a","payload":{{"expiresat":1}},"{field}":"1"}}"#);
        let error = refuse(&body).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(NotificationRequest::from_json(&body).is_ok(), "{field}");
    }
    let long = "x".repeat(10_000);
    let error = refuse(&format!(r#"{{"userId":"a","payload":1,"{long}":1}}"#)).unwrap_err().to_string();
    assert!(error.len() < 300, "{error}");
    assert!(matches!(refuse(r#"{"userId":"a","#), Err(InvalidNotification::Json(_))));
    assert!(matches!(refuse("[]"), Err(InvalidNotification::NotAnObject { .. })));
}

#[test]
fn wrong_value_is_named_with_what_is_allowed() {
    let millis = "a whole number, in milliseconds since 1970";
    for (field, value, expected) in [
        ("whenOffline", r#""x""#, r#""whenOffline" is "x"; it must be "hold" or "drop""#.to_owned()),
        ("whenOffline", "true", r#""whenOffline" is true; it must be "hold" or "drop""#.to_owned()),
        ("expiresAt", r#""soon""#, format!(r#""expiresAt" is "soon"; it must be {millis}"#)),
        ("expiresAt", "-1", format!(r#""expiresAt" is -1; it must be {millis}"#)),
        ("sentAt", "1.5", format!(r#""sentAt" is 1.5; it must be {millis}"#)),
        ("kind", "5", r#""kind" is 5; it must be a text of at most 256 bytes"#.to_owned()),
        ("source", "[1]", r#""source" is an array; it must be a text of at most 256 bytes"#.to_owned()),
        ("id", "{}", r#""id" is an object; it must be a text of 1 to 128 characters"#.to_owned()),
        ("version", r#""1""#, r#""version" is "1"; it must be the number 1"#.to_owned()),
        ("type", r#""replay""#, r#""type" is "replay"; it must be "notification""#.to_owned()),
    ] {
        let body = format!(r#"{{"userId":"a","payload":{{"kind":1}},"{field}":{value}}}"#);
        let refused = NotificationRequest::from_json_with(&body, UnknownFields::Refuse).unwrap_err();
        assert_eq!(refused.to_string(), expected, "{body}");
        if field != "type" {
            assert_eq!(read(&body).unwrap_err().to_string(), expected, "{body}");
        }
    }
    for (body, expected) in [
        (r#"{"userId":5,"payload":1}"#, r#""userId" is 5; it must be a text, such as "alice""#),
        (r#"{"userId":"a","payload":1,"payload":2}"#, r#"the field "payload" is given twice"#),
        (r#"{"type":7}"#, r#""type" is 7; it must be "notification", "replay" or "fan-out""#),
        (r#"{"type":"replay","sequence":7}"#, r#""sequence" is 7; it must be a text of digits"#),
        (r#"{"type":"fan-out","hub":7}"#, r#""hub" is 7; it must be a text of 1 to 124 characters"#),
        (r#"{"type":"fan-out","after":7}"#, r#""after" is 7; it must be a user id"#),
        (r#"{"type":"fan-out","except":7}"#, r#""except" is 7; it must be a user id"#),
        ("[1]", "it is an array, and must be an object such as"),
        ("5", "it is a number, and must be an object such as"),
    ] {
        let message = read(body).unwrap_err().to_string();
        assert!(message.contains(expected), "{body}: {message}");
    }
    // Text that is not JSON is reported as such, whatever the values before the mistake.
    assert!(matches!(read(r#"{"userId":5,"payload":}"#), Err(InvalidNotification::Json(_))));
}

#[test]
fn expiry_in_the_past_or_in_seconds_is_refused() {
    let now = Timestamp::from_millis(1_767_225_600_000);
    let check = |expires_at: u64| {
        let body = format!(r#"{{"userId":"a","payload":1,"expiresAt":{expires_at}}}"#);
        NotificationRequest::from_json(&body).unwrap().check_expiry(now).map_err(|error| error.to_string())
    };
    assert_eq!(check(now.millis() + 1), Ok(()));
    assert_eq!(check(u64::MAX), Ok(()));
    assert!(check(now.millis()).unwrap_err().contains("which is past; the server's time is 1767225600000"));
    let seconds = check(1_767_312_000).unwrap_err();
    assert!(seconds.contains("milliseconds since 1970 (1767312000000), not in seconds"), "{seconds}");
    assert!(check(60_000).unwrap_err().contains("not a duration"));
}

#[test]
fn each_error_names_the_mistake() {
    let long = "x".repeat(257);
    for (body, expected) in [
        ("", "not a valid JSON notification"),
        (r#"[1,"notification",null,"a",1]"#, "not a valid JSON notification"),
        ("[]", "not a valid JSON notification"),
        (r#"{"payload":1}"#, r#"the field "userId" is missing"#),
        (r#"{"userId":"a"}"#, r#"the field "payload" is missing"#),
        (r#"{"userId":"a","payload":1,"message":2}"#, r#"both "payload" and "message" are given"#),
        (r#"{"userId":"a\u0007","payload":1}"#, "user id has the control character '\\u{7}' at position 1"),
        (r#"{"userId":"u8:ab","payload":1}"#, "begins with \"u8:\""),
        (r#"{"userId":"a","payload":1,"id":""}"#, "notification id is empty"),
        (r#"{"type":"other","userId":"a","payload":1}"#, r#"type "other" is unknown"#),
        (r#"{"type":"replay","userId":"a"}"#, r#"the field "sequence" is missing"#),
        (r#"{"type":"replay","userId":"a","sequence":"-1"}"#, "is not a sequence"),
        (r#"{"type":"fan-out","payload":1}"#, r#"the field "hub" is missing"#),
        (r#"{"type":"fan-out","hub":"a b","payload":1}"#, "hub name has the character ' ' at position 1"),
        (r#"{"type":"fan-out","hub":"a"}"#, r#"the field "payload" is missing"#),
        (r#"{"userId":"a","payload":1,"whenOffline":"later"}"#, r#"must be "hold" or "drop""#),
        (
            &format!(r#"{{"userId":"a","payload":1,"kind":"{long}"}}"#),
            r#""kind" has 257 bytes; allowed are at most 256"#,
        ),
    ] {
        let message = read(body).unwrap_err().to_string();
        assert!(message.contains(expected), "{body}: {message}");
    }
}

/// Error texts go into answers, logs and dead letters.
#[test]
fn long_input_does_not_lengthen_errors() {
    let long = "\u{e9}".repeat(10_000);
    for body in [
        format!(r#"{{"userId":"a","payload":1,"sentAt":"{long}"}}"#),
        format!(r#"{{"userId":"a","payload":1,"whenOffline":"{long}"}}"#),
        format!(r#"{{"userId":"a","payload":1,"version":"{long}"}}"#),
        format!(r#"{{"type":"{long}","userId":"a","payload":1}}"#),
        format!(r#"{{"type":"replay","userId":"a","sequence":"{long}"}}"#),
        format!(r#"{{"userId":"a","payload":1,"id":"{}"}}"#, "x".repeat(10_000)),
    ] {
        let error = read(&body).unwrap_err();
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        assert!(error.to_string().len() + cause.len() < 1_000, "{error}: {cause}");
    }
}

#[test]
fn schemas_are_current() {
    contract_schema::assert_current(
        concat!(env!("CARGO_MANIFEST_DIR"), "/schema/queue-entry.json"),
        &contract_schema::schema_for!(QueueEntry),
    );
    contract_schema::assert_current(
        concat!(env!("CARGO_MANIFEST_DIR"), "/schema/notification-request.json"),
        &contract_schema::schema_for!(NotificationRequest),
    );
    contract_schema::assert_current(
        concat!(env!("CARGO_MANIFEST_DIR"), "/schema/notification-request-strict.json"),
        &NotificationRequest::strict_schema(),
    );
}
