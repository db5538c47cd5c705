//! Messages from client to client, and their limits.

use std::sync::atomic::Ordering;
use std::time::Duration;

use contract_frames_v1::{ClientFrame, ErrorCode, SendResult, ServerFrame};
use contract_notifications_v1::{NotificationId, Sequence};
use shared_ports::Clock as _;
use ws_edge::{ClientMessagePolicy, EdgeConfig, RateLimit};

use crate::world::{Noon, Queued, World};
use crate::{chat, edge_of, join, say};

#[tokio::test]
async fn send_message_answers_for_each_session() {
    let world = World::default();
    let edge = edge_of(&world, chat());
    join(&edge, "jo").await;
    join(&edge, "al").await;
    world.queued.lock().unwrap().clear();
    let frame =
        r#"{"action":"sendMessage","sessions":["al","stranger"],"idempotencyKey":"i","text":"hello"}"#;
    let Some(ServerFrame::Sent { id, results, .. }) = say(&edge, "jo", frame).await else {
        panic!("not sent")
    };
    let result = |to: &str, code: Option<ErrorCode>| SendResult {
        to: to.into(),
        accepted: code.is_none(),
        pending: false,
        code,
        message: None,
    };
    assert_eq!(results, [result("al", None), result("stranger", Some(ErrorCode::Forbidden))]);
    let queued = world.queued.lock().unwrap();
    let [Queued::Notification(notification)] = queued.as_slice() else { panic!("{queued:?}") };
    assert_eq!((notification.user_id.as_str(), &notification.id), ("al", &id));
}

/// With shared keys, a client could suppress the messages of other clients and of producers.
#[tokio::test]
async fn idempotency_keys_of_senders_do_not_collide() {
    let world = World::default();
    let edge = edge_of(&world, EdgeConfig { client_messages: ClientMessagePolicy::Anyone, ..chat() });
    let frame = r#"{"action":"sendMessage","sessions":["al"],"idempotencyKey":"1"}"#;
    let mut ids = Vec::new();
    for sender in ["jo", "jo", "bo"] {
        let Some(ServerFrame::Sent { id, idempotency_key, .. }) = say(&edge, sender, frame).await else {
            panic!("not sent")
        };
        assert_eq!(idempotency_key.as_ref().map(NotificationId::as_str), Some("1"));
        ids.push(id);
    }
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
    assert!(ids.iter().all(|id| id.as_str() != "1"), "a producer may use that id");
}

#[tokio::test]
async fn messages_that_are_not_queued_are_reported() {
    let world = World::default();
    let edge = edge_of(&world, EdgeConfig { client_messages: ClientMessagePolicy::Anyone, ..chat() });
    world.down.store(true, Ordering::SeqCst);
    for frame in
        [r#"{"action":"sendMessage","sessions":["al"]}"#, r#"{"action":"sendmessage","message":"hello"}"#]
    {
        let Some(ServerFrame::Sent { results, .. }) = say(&edge, "jo", frame).await else {
            panic!("{frame}")
        };
        assert_eq!((results[0].accepted, results[0].code), (false, Some(ErrorCode::Internal)));
    }
}

#[tokio::test]
async fn rate_limited_client_learns_when_to_retry() {
    let world = World::default();
    let rate = Some(RateLimit { most: 2, per: Duration::from_secs(1) });
    let edge = edge_of(&world, EdgeConfig { connection_rate: rate, ..chat() });
    let hello = r#"{"action":"sendmessage","message":"hello"}"#;
    for _ in 0..2 {
        assert!(matches!(say(&edge, "jo", hello).await, Some(ServerFrame::Sent { .. })));
    }
    let Some(ServerFrame::Error { code, message, retry_after, .. }) = say(&edge, "jo", hello).await else {
        panic!("not refused")
    };
    assert_eq!((code, retry_after), (ErrorCode::TooManyRequests, Some(1_000)));
    assert!(message.contains("2 actions in 1s"), "{message}");
    // The limit applies neither to heartbeats nor to another user's messages.
    assert!(matches!(say(&edge, "jo", r#"{"action":"ping"}"#).await, Some(ServerFrame::Pong { .. })));
    assert!(matches!(say(&edge, "al", hello).await, Some(ServerFrame::Sent { .. })));
}

#[tokio::test]
async fn recipients_and_bytes_have_limits() {
    let per = Duration::from_mins(1);
    let world = World::default();
    let anyone = EdgeConfig { client_messages: ClientMessagePolicy::Anyone, ..chat() };
    let refused = async |config: EdgeConfig, frame: &str| {
        let edge = edge_of(&world, config);
        match say(&edge, "jo", frame).await {
            Some(ServerFrame::Error { code: ErrorCode::TooManyRequests, message, retry_after, .. }) => {
                assert_eq!(retry_after, Some(60_000));
                Some(message)
            }
            _ => None,
        }
    };
    let to_three = r#"{"action":"sendMessage","sessions":["a","b","c"],"payload":"hello"}"#;
    let recipients = EdgeConfig { recipient_rate: Some(RateLimit { most: 5, per }), ..anyone.clone() };
    assert_eq!(refused(recipients.clone(), to_three).await, None);
    assert!(refused(recipients, to_three).await.unwrap().contains("5 recipients"));
    // Each recipient's copy counts, with its envelope.
    let bytes = EdgeConfig { byte_rate: Some(RateLimit { most: 1_000, per }), ..anyone.clone() };
    assert_eq!(refused(bytes.clone(), to_three).await, None);
    assert!(refused(bytes, to_three).await.unwrap().contains("1000 bytes"));
    let quota = EdgeConfig { sender_quota: Some(RateLimit { most: 1_000, per }), ..anyone };
    assert_eq!(refused(quota.clone(), to_three).await, None);
    let dropped = r#"{"action":"sendmessage","message":"is not held"}"#;
    assert_eq!(refused(quota.clone(), dropped).await, None);
    assert!(refused(quota, to_three).await.unwrap().contains("held"));
}

#[tokio::test]
async fn acknowledgements_in_large_frames_are_counted() {
    let world = World::default();
    let rate = Some(RateLimit { most: 60, per: Duration::from_mins(1) });
    let edge = edge_of(&world, EdgeConfig { acknowledgement_rate: rate, ..EdgeConfig::default() });
    let ack = async |from: u128, count: u128| {
        let sequences = (from..from + count).map(Sequence::new).collect();
        say(&edge, "jo", &ClientFrame::Ack { sequences }.to_json()).await
    };
    assert_eq!(ack(0, 30).await, Some(ServerFrame::AckOk { acknowledged: 30 }));
    assert_eq!(ack(100, 30).await, Some(ServerFrame::AckOk { acknowledged: 30 }));
    match ack(200, 26).await {
        Some(ServerFrame::Error { code: ErrorCode::TooManyRequests, message, retry_after, .. }) => {
            assert_eq!(retry_after, Some(60_000));
            assert!(message.contains("60 sequences"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    // What costs one call goes on.
    for _ in 0..10 {
        assert_eq!(ack(300, 25).await, Some(ServerFrame::AckOk { acknowledged: 25 }));
    }
}

#[tokio::test]
async fn message_to_a_hub_counts_its_members() {
    let world = World::default();
    let rate = Some(RateLimit { most: 5, per: Duration::from_mins(1) });
    let edge = edge_of(&world, EdgeConfig { hub_member_rate: rate, ..chat() });
    join(&edge, "jo").await;
    join(&edge, "al").await;
    let hello = r#"{"action":"sendmessage","message":"hello"}"#;
    for _ in 0..2 {
        assert!(matches!(say(&edge, "jo", hello).await, Some(ServerFrame::Sent { .. })));
    }
    let Some(ServerFrame::Error { code, message, .. }) = say(&edge, "jo", hello).await else {
        panic!("not refused")
    };
    assert_eq!(code, ErrorCode::TooManyRequests);
    assert!(message.contains("5 members"), "{message}");
    // A hub with more members than the limit takes all of it.
    for n in 0..9 {
        join(&edge, &format!("member-{n}")).await;
    }
    assert!(matches!(say(&edge, "al", hello).await, Some(ServerFrame::Sent { .. })));
    assert!(matches!(say(&edge, "al", hello).await, Some(ServerFrame::Error { .. })));
}

#[tokio::test]
async fn full_mailbox_refuses_its_recipient_alone() {
    let world = World::default();
    let limit = RateLimit { most: 600, per: Duration::from_mins(1) };
    let config = EdgeConfig { client_messages: ClientMessagePolicy::Anyone, ..chat() };
    let edge = edge_of(&world, EdgeConfig { mailbox_quota: Some(limit), ..config });
    let send = async |sessions: &str| {
        let frame = format!(r#"{{"action":"sendMessage","sessions":{sessions},"payload":"hello"}}"#);
        match say(&edge, "jo", &frame).await {
            Some(ServerFrame::Sent { results, .. }) => {
                results.into_iter().map(|result| result.code).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(send(r#"["al"]"#).await, [None]);
    assert_eq!(send(r#"["al"]"#).await, [None]);
    assert_eq!(send(r#"["al", "bo"]"#).await, [Some(ErrorCode::TooManyRequests), None]);
    // A connection of the recipient frees nothing: who never acknowledges has everything held.
    join(&edge, "al").await;
    assert_eq!(send(r#"["al"]"#).await, [Some(ErrorCode::TooManyRequests)]);
}

#[tokio::test]
async fn held_messages_of_clients_expire() {
    let world = World::default();
    let edge = edge_of(&world, EdgeConfig { client_messages: ClientMessagePolicy::Anyone, ..chat() });
    say(&edge, "jo", r#"{"action":"sendMessage","sessions":["al"],"payload":"hello"}"#).await;
    let queued = world.queued.lock().unwrap();
    let Some(Queued::Notification(notification)) = queued.last() else { panic!("{queued:?}") };
    assert_eq!(notification.expires_at, Some(Noon.now().plus(Duration::from_hours(24 * 30))));
}

#[tokio::test]
async fn deep_message_is_refused() {
    let world = World::default();
    let edge = edge_of(&world, EdgeConfig { client_messages: ClientMessagePolicy::Anyone, ..chat() });
    let send = async |levels: usize| {
        let payload = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let frame = format!(r#"{{"action":"sendMessage","sessions":["al"],"payload":{payload}}}"#);
        say(&edge, "jo", &frame).await
    };
    // The payload that is delivered has a level of its own around the frame's.
    assert!(matches!(send(127).await, Some(ServerFrame::Sent { .. })));
    let Some(ServerFrame::Error { code, message, .. }) = send(128).await else { panic!("not refused") };
    assert_eq!(code, ErrorCode::BadRequest);
    assert!(message.contains("128 levels"), "{message}");
}
