use contract_connections_v1::ConnectionId;
use contract_frames_v1::{ClientFrame, ErrorCode};
use contract_identity_v1::Method;
use contract_notifications_v1::Version1;
use serde_json::{Value, json};

use super::*;
use crate::core::frame::{Decision, Inbound, decide};

fn hub(name: &str) -> HubName {
    HubName::new(name).unwrap()
}

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

/// What is decided about a frame of jo, who is in the hubs `all` and `team`.
fn decided(sending: SendPolicy, frame: &str) -> Decision {
    let principal = Principal {
        version: Version1,
        user_id: user("jo"),
        username: Some("Jo".to_owned()),
        method: Method::Jwt,
        hubs: vec!["team".to_owned()],
        expires_at: None,
    };
    let config = EdgeConfig { sending, everyone: Some(hub("all")), ..EdgeConfig::default() };
    let hubs = [hub("all"), hub("team")];
    let connection_id = &ConnectionId::new("c");
    let now = Timestamp::from_millis(1_767_225_600_999);
    let caller = Caller { principal: &principal, connection_id, hubs: &hubs, now };
    decide(Inbound::Text(frame), &caller, &config)
}

fn ordered(sending: SendPolicy, frame: &str) -> SendOrder {
    match decided(sending, frame) {
        Decision::Send(order) => order,
        other => panic!("not sent: {other:?}"),
    }
}

fn payload(order: &SendOrder) -> Value {
    serde_json::from_str(order.letter.payload.get()).unwrap()
}

#[test]
fn sessions_get_the_frame_without_them_and_it_is_held() {
    let frame = r#"{"action":"sendMessage","sessions":["s1","s2"],"id":"i","text":"hello"}"#;
    let order = ordered(SendPolicy::Anyone, frame);
    let targets: Vec<_> = order.targets.iter().map(Target::name).collect();
    assert_eq!(targets, ["s1", "s2"]);
    assert_eq!(order.letter.payload.get(), r#"{"action":"sendMessage","id":"i","text":"hello"}"#);
    let notification = order.letter.to_user(order.id.unwrap(), user("s1"));
    assert_eq!((notification.id.as_str(), notification.when_offline), ("i", WhenOffline::Hold));
    assert_eq!(
        (notification.kind.as_deref(), notification.source.as_deref()),
        (Some("sendMessage"), Some("user/jo"))
    );
}

#[test]
fn a_message_says_who_sent_it_and_to_whom() {
    let to_user = r#"{"action":"message","data":{"content":{"x":1.0},"recipient":"al"}}"#;
    let order = ordered(SendPolicy::Anyone, to_user);
    let expected = json!({
        "action": "message",
        "data": {
            "content": {"x": 1.0}, "sender": "jo", "recipient": {"user": "al"}, "timestamp": 1_767_225_600_999_u64,
        },
    });
    assert_eq!(payload(&order), expected);
    assert_eq!(order.targets, [Target::User { user_id: user("al"), shared: None }]);
    assert_eq!(order.letter.when_offline, WhenOffline::Hold);

    let order =
        ordered(SendPolicy::SameHub, r#"{"action":"message","data":{"content":1,"recipient":"all"}}"#);
    assert_eq!(order.targets, [Target::Hub { hub: hub("all"), name: "all".into() }]);
    assert_eq!(
        (order.letter.when_offline, &payload(&order)["data"]["recipient"]),
        (WhenOffline::Drop, &json!("all"))
    );
}

#[test]
fn a_broadcast_is_text_with_time_and_name_before_it() {
    let order = ordered(SendPolicy::SameHub, r#"{"action":"sendmessage","message":"hello"}"#);
    let payload = payload(&order);
    assert_eq!(payload["message"], "[2026-01-01T00:00:00Z - UTC]\n Jo  hello\n");
    assert_eq!(
        (&payload["text"], &payload["sender"], &payload["hub"]),
        (&json!("hello"), &json!("jo"), &json!("all"))
    );
    assert_eq!(order.targets, [Target::Hub { hub: hub("all"), name: "hub/all".into() }]);
    let FanOut { hub: to, when_offline, kind, .. } =
        order.letter.to_hub(NotificationId::new("i").unwrap(), hub("all"));
    assert_eq!((to, when_offline, kind.as_deref()), (hub("all"), WhenOffline::Drop, Some("sendmessage")));
}

#[test]
fn within_the_same_hub_alone_if_so_decided() {
    let order = ordered(SendPolicy::SameHub, r#"{"action":"sendMessage","sessions":["al"]}"#);
    let shared = Some(vec![hub("all"), hub("team")]);
    assert_eq!(order.targets, [Target::User { user_id: user("al"), shared }]);
    for frame in [
        r#"{"action":"sendmessage","message":"hello","hub":"ops"}"#,
        r#"{"action":"message","data":{"content":1,"recipient":{"hub":"ops"}}}"#,
    ] {
        let Decision::Refuse { code: ErrorCode::Forbidden, message } = decided(SendPolicy::SameHub, frame)
        else {
            panic!("not refused: {frame}")
        };
        assert!(message.contains("ops"), "{message}");
        ordered(SendPolicy::Anyone, frame);
    }
}

#[test]
fn nobody_sends_to_the_gateways_own_hubs() {
    for policy in [SendPolicy::Anyone, SendPolicy::SameHub] {
        for frame in [
            r#"{"action":"sendmessage","message":"hi","hub":"tidings:operations"}"#,
            r#"{"action":"message","data":{"content":1,"recipient":{"hub":"tidings:operations"}}}"#,
        ] {
            let Decision::Refuse { code, message } = decided(policy, frame) else { panic!("{frame}") };
            assert_eq!(code, ErrorCode::Forbidden);
            assert!(message.contains("nobody but the gateway"), "{message}");
        }
    }
}

#[test]
fn what_no_frame_can_carry_is_refused() {
    let text = "x".repeat(127 * 1024);
    let frame = ClientFrame::Broadcast(Broadcast { id: None, message: text.into(), hub: None }).to_json();
    let Decision::Refuse { code: ErrorCode::BadRequest, message } = decided(SendPolicy::Anyone, &frame)
    else {
        panic!("not refused")
    };
    assert!(message.contains("allowed are 131072"), "{message}");
}

#[test]
fn whoever_comes_or_goes_is_not_told_of_it() {
    let principal = Principal {
        version: Version1,
        user_id: user("jo"),
        username: None,
        method: Method::Token,
        hubs: Vec::new(),
        expires_at: None,
    };
    let id = NotificationId::new("i").unwrap();
    let notice =
        presence(&principal, PresenceEvent::Joined, hub("all"), id, Timestamp::from_millis(5)).unwrap();
    assert_eq!((notice.except, notice.when_offline), (Some(user("jo")), WhenOffline::Drop));
    let payload: Value = serde_json::from_str(notice.payload.get()).unwrap();
    assert_eq!(payload["message"], "A new user has joined the chat - jo");
    assert_eq!((&payload["presence"], &payload["userId"]), (&json!("joined"), &json!("jo")));
}
