//! Frames that send messages to other clients.

use contract_connections_v1::ConnectionId;
use contract_notifications_v1::{FanOut, HubName, NotificationId, Timestamp, UserId, Version1, WhenOffline};
use serde_json::{Value, json};

use super::*;
use crate::config::ClientMessagePolicy;
use crate::core::client_messages::{SendRequest, Target};

fn hub(name: &str) -> HubName {
    HubName::new(name).unwrap()
}

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

/// Decides a frame of the user `jo`, who is in the hubs `all` and `team`.
fn decided(client_messages: ClientMessagePolicy, frame: &str) -> Decision {
    let principal = Principal {
        version: Version1,
        user_id: user("jo"),
        username: Some("Jo".to_owned()),
        method: AuthenticationMethod::Jwt,
        hubs: vec!["team".to_owned()],
        expires_at: None,
        source_key: None,
        source_token: None,
    };
    let config = EdgeConfig { client_messages, everyone: Some(hub("all")), ..EdgeConfig::default() };
    let hubs = [hub("all"), hub("team")];
    let connection_id = &ConnectionId::new("c");
    let now = Timestamp::from_millis(1_767_225_600_999);
    let caller = Caller { principal: &principal, connection_id, hubs: &hubs, now };
    decide(Inbound::Text(frame), &caller, &config)
}

fn accepted(client_messages: ClientMessagePolicy, frame: &str) -> SendRequest {
    match decided(client_messages, frame) {
        Decision::Send(request) => request,
        other => panic!("not sent: {other:?}"),
    }
}

fn payload(request: &SendRequest) -> Value {
    serde_json::from_str(request.message.payload.get()).unwrap()
}

#[test]
fn send_message_payload_omits_sessions_and_is_held() {
    let frame =
        r#"{"action":"sendMessage","sessions":["s1","s2"],"id":"i","idempotencyKey":"k","text":"hello"}"#;
    let request = accepted(ClientMessagePolicy::Anyone, frame);
    let targets: Vec<_> = request.targets.iter().map(Target::name).collect();
    assert_eq!(targets, ["s1", "s2"]);
    assert_eq!(request.message.payload.get(), r#"{"action":"sendMessage","id":"i","text":"hello"}"#);
    let notification = request.message.to_user(request.idempotency_key.unwrap(), user("s1"));
    assert_eq!((notification.id.as_str(), notification.when_offline), ("k", WhenOffline::Hold));
    assert_eq!(
        (notification.kind.as_deref(), notification.source.as_deref()),
        (Some("sendMessage"), Some("user/jo"))
    );
}

#[test]
fn id_without_key_deduplicates_nothing() {
    for frame in [
        r#"{"action":"sendMessage","sessions":["s1"],"id":"order-17"}"#,
        r#"{"action":"message","id":"order-17","data":{"content":1,"recipient":"al"}}"#,
        r#"{"action":"sendmessage","id":"order-17","message":"hello"}"#,
    ] {
        assert_eq!(accepted(ClientMessagePolicy::Anyone, frame).idempotency_key, None, "{frame}");
    }
}

#[test]
fn unusable_session_is_a_target_of_its_own() {
    let frame = r#"{"action":"sendMessage","sessions":["s1","","José"]}"#;
    let request = accepted(ClientMessagePolicy::Anyone, frame);
    let names: Vec<_> = request.targets.iter().map(Target::name).collect();
    assert_eq!(names, ["s1", "", "José"]);
    assert!(matches!(request.targets[1], Target::Invalid { .. }));
}

#[test]
fn message_payload_names_sender_and_recipient() {
    let to_user = r#"{"action":"message","data":{"content":{"x":1.0},"recipient":"al"}}"#;
    let request = accepted(ClientMessagePolicy::Anyone, to_user);
    let expected = json!({
        "action": "message",
        "data": {
            "content": {"x": 1.0},
            "sender": "jo",
            "recipient": "al",
            "timestamp": 1_767_225_600_999_u64,
        },
    });
    assert_eq!(payload(&request), expected);
    assert_eq!(request.targets, [Target::User { user_id: user("al"), shared_hubs: None }]);
    assert_eq!(request.message.when_offline, WhenOffline::Hold);

    let request = accepted(
        ClientMessagePolicy::SameHub,
        r#"{"action":"message","data":{"content":1,"recipient":"all"}}"#,
    );
    assert_eq!(request.targets, [Target::Hub { hub: hub("all"), name: "all".into() }]);
    assert_eq!(
        (request.message.when_offline, &payload(&request)["data"]["recipient"]),
        (WhenOffline::Drop, &json!("all"))
    );
}

#[test]
fn broadcast_text_begins_with_time_and_name() {
    let request = accepted(ClientMessagePolicy::SameHub, r#"{"action":"sendmessage","message":"hello"}"#);
    let payload = payload(&request);
    assert_eq!(payload["message"], "[2026-01-01T00:00:00Z - UTC]\n Jo (jo)  hello\n");
    assert_eq!(
        (&payload["text"], &payload["sender"], &payload["hub"]),
        (&json!("hello"), &json!("jo"), &json!("all"))
    );
    assert_eq!(request.targets, [Target::Hub { hub: hub("all"), name: "hub/all".into() }]);
    let FanOut { hub: to, when_offline, kind, .. } =
        request.message.to_hub(NotificationId::new("i").unwrap(), hub("all"));
    assert_eq!((to, when_offline, kind.as_deref()), (hub("all"), WhenOffline::Drop, Some("sendmessage")));
}

#[test]
fn broadcast_forges_no_line_of_another_sender() {
    let frame =
        r#"{"action":"sendmessage","message":"hi\n[2026-01-01T00:00:00Z - UTC]\n bob  send money\r\u2028x"}"#;
    let payload = payload(&accepted(ClientMessagePolicy::SameHub, frame));
    let line = "hi [2026-01-01T00:00:00Z - UTC]  bob  send money  x";
    assert_eq!(payload["message"], format!("[2026-01-01T00:00:00Z - UTC]\n Jo (jo)  {line}\n"));
    assert!(payload["text"].as_str().unwrap().contains('\n'));
}

#[test]
fn same_hub_policy_restricts_recipients() {
    let request = accepted(ClientMessagePolicy::SameHub, r#"{"action":"sendMessage","sessions":["al"]}"#);
    let shared_hubs = Some(vec![hub("all"), hub("team")]);
    assert_eq!(request.targets, [Target::User { user_id: user("al"), shared_hubs }]);
    for frame in [
        r#"{"action":"sendmessage","message":"hello","hub":"ops"}"#,
        r#"{"action":"message","data":{"content":1,"recipient":{"hub":"ops"}}}"#,
    ] {
        let Decision::Refuse { code: ErrorCode::Forbidden, message } =
            decided(ClientMessagePolicy::SameHub, frame)
        else {
            panic!("not refused: {frame}")
        };
        assert!(message.contains("ops"), "{message}");
        accepted(ClientMessagePolicy::Anyone, frame);
    }
}

#[test]
fn reserved_hubs_take_no_client_messages() {
    for policy in [ClientMessagePolicy::Anyone, ClientMessagePolicy::SameHub] {
        for frame in [
            r#"{"action":"sendmessage","message":"hi","hub":"tidings:operations"}"#,
            r#"{"action":"message","data":{"content":1,"recipient":{"hub":"tidings:operations"}}}"#,
        ] {
            let Decision::Refuse { code, message } = decided(policy, frame) else { panic!("{frame}") };
            assert_eq!(code, ErrorCode::Forbidden);
            assert!(message.contains("is reserved"), "{message}");
        }
    }
}

#[test]
fn oversized_message_is_refused() {
    let text = "x".repeat(127 * 1024);
    let frame = ClientFrame::Broadcast(Broadcast {
        id: None,
        idempotency_key: None,
        message: text.into(),
        hub: None,
    })
    .to_json();
    let Decision::Refuse { code: ErrorCode::BadRequest, message } =
        decided(ClientMessagePolicy::Anyone, &frame)
    else {
        panic!("not refused")
    };
    assert!(message.contains("allowed are at most 131072"), "{message}");
}
