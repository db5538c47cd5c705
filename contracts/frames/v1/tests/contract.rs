//! Checks that version 1 keeps its published form: reading and writing a fixture gives the same bytes, and
//! the types generate the JSON Schema in `schema/`.

use contract_frames_v1::{
    ChatMessage, ClientFrame, DirectMessage, MAX_MESSAGE_BYTES, Presence, ServerFrame, item_len, require_fits,
};
use contract_notifications_v1::{NotificationId, NotificationRequest, Timestamp};

const SERVER_FRAMES: &str = include_str!("../fixtures/server-frames.ndjson");
const CLIENT_FRAMES: &str = include_str!("../fixtures/client-frames.ndjson");

#[test]
fn fixtures_round_trip() {
    for line in SERVER_FRAMES.lines() {
        assert_eq!(ServerFrame::from_json(line).unwrap().to_json(), line);
    }
    for line in CLIENT_FRAMES.lines() {
        assert_eq!(ClientFrame::from_json(line).unwrap().to_json(), line);
    }
}

#[test]
fn each_error_names_the_mistake() {
    let many = format!(r#"{{"action":"ack","sequences":[{}"1"]}}"#, r#""1","#.repeat(1_000));
    for (text, expected) in [
        ("", "not a JSON object"),
        ("7", "not a JSON object"),
        ("{}", r#"the field "action" is missing; actions are sendMessage, message, sendmessage, ping, ack"#),
        (
            r#"{"action":"jump"}"#,
            r#"action "jump" is unknown; actions are sendMessage, message, sendmessage, ping, ack"#,
        ),
        (r#"{"action":"ack"}"#, r#"the "ack" frame is not of the expected form"#),
        (r#"{"action":"ack","sequences":["x"]}"#, r#""x" is not a sequence"#),
        (r#"{"action":"sendMessage"}"#, "the message names 0 sessions; allowed are 1 to 100"),
        (r#"{"action":"message"}"#, r#"the "message" frame is not of the expected form"#),
        (r#"{"action":"message","data":["a","b"]}"#, r#"the "message" frame is not of the expected form"#),
        (r#"{"action":"message","data":{"content":1,"recipient":7}}"#, r#"where the recipient is "all""#),
        (r#"{"action":"message","data":{"content":1,"recipient":{"hub":""}}}"#, "hub name is empty"),
        (r#"{"action":"sendmessage"}"#, r#"the "sendmessage" frame is not of the expected form"#),
        (r#"{"action":"sendmessage","message":""}"#, "the message is empty"),
        (r#"{"action":"sendmessage","message":"x","idempotencyKey":""}"#, "notification id is empty"),
        (r#"{"action":"history","of":"all"}"#, r#"where "of" is "messages" or "sessions""#),
        (r#"{"action":"history","limit":0}"#, "the limit is 0; allowed are 1 to 100"),
        (r#"{"action":"members","limit":101}"#, "the limit is 101; allowed are 1 to 100"),
        (r#"{"action":"members","hub":7}"#, r#"the "members" frame is not of the expected form"#),
        (r#"{"action":"members","hub":""}"#, "hub name is empty"),
        (r#"{"action":"members","after":"u8:b"}"#, "user id begins with \"u8:\""),
        (&many, "the ack names 1001 sequences; allowed are at most 1000"),
    ] {
        let message = ClientFrame::from_json(text).unwrap_err().to_string();
        assert!(message.contains(expected), "{text}: {message}");
    }
    assert_eq!(ClientFrame::from_json(r#"{"action":"ping","colour":"red"}"#).unwrap(), ClientFrame::Ping);
}

#[test]
fn size_limit_includes_the_envelope() {
    let notification = |payload_bytes: usize| {
        let body = format!(r#"{{"userId":"u","payload":"{}"}}"#, "x".repeat(payload_bytes - 2));
        NotificationRequest::from_json(&body)
            .unwrap()
            .complete(|| NotificationId::new("n").unwrap(), Timestamp::from_millis(1))
    };
    let envelope = item_len(&notification(100)) - 100;
    assert!(require_fits(&notification(MAX_MESSAGE_BYTES - envelope)).is_ok());
    let message = require_fits(&notification(MAX_MESSAGE_BYTES - envelope + 1)).unwrap_err().to_string();
    assert!(message.contains("131073 bytes") && message.contains("131072"), "{message}");
}

#[test]
fn schemas_are_current() {
    contract_schema::assert_current(
        concat!(env!("CARGO_MANIFEST_DIR"), "/schema/server-frame.json"),
        &contract_schema::schema_for!(ServerFrame),
    );
    contract_schema::assert_current(
        concat!(env!("CARGO_MANIFEST_DIR"), "/schema/payloads.json"),
        &contract_schema::schema_for!((DirectMessage, ChatMessage, Presence)),
    );
    contract_schema::assert_current(
        concat!(env!("CARGO_MANIFEST_DIR"), "/schema/client-frame.json"),
        &contract_schema::schema_for!(ClientFrame),
    );
}
