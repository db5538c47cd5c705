//! A client's frame, and what the edge decides about it.

#![no_main]

use std::collections::BTreeSet;

use contract_connections_v1::ConnectionId;
use contract_frames_v1::{ClientFrame, MAX_ACK_SEQUENCES, MAX_MEMBERS, ServerFrame};
use contract_identity_v1::{AuthenticationMethod, Principal};
use contract_notifications_v1::{HubName, Timestamp, UserId, Version1};
use fuzz::{json_members, require_bounded};
use libfuzzer_sys::{Corpus, fuzz_target};
use ws_edge::{Caller, ClientMessagePolicy, Decision, EdgeConfig, Inbound, SendRequest, decide};

/// Small, so that it is reached.
const MAX_MESSAGE_BYTES: usize = 512;

/// What was decided to be sent.
fn ordered(decision: Decision) -> SendRequest {
    match decision {
        Decision::Send(order) => order,
        other => panic!("it is not sent: {other:?}"),
    }
}

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(data) else { return Corpus::Reject };
    let frame = ClientFrame::from_json(text);
    match &frame {
        Ok(frame) => {
            let again = ClientFrame::from_json(&frame.to_json()).expect("what is written can be read");
            assert_eq!(again, *frame);
            assert!(json_members(text).is_some(), "what is accepted is an object");
        }
        Err(error) => require_bounded(&error.to_string()),
    }
    let all = HubName::new("all").expect("it is legal");
    let config = EdgeConfig {
        max_message_bytes: MAX_MESSAGE_BYTES,
        client_messages: ClientMessagePolicy::Anyone,
        everyone: Some(all.clone()),
        ..EdgeConfig::default()
    };
    let principal = Principal {
        version: Version1,
        user_id: UserId::new("jo").expect("it is legal"),
        username: None,
        method: AuthenticationMethod::Token,
        hubs: Vec::new(),
        expires_at: None,
    };
    let (connection_id, hubs) = (ConnectionId::new("c"), [all.clone()]);
    let caller = Caller {
        principal: &principal,
        connection_id: &connection_id,
        hubs: &hubs,
        now: Timestamp::default(),
    };
    let decision = decide(Inbound::Text(text), &caller, &config);
    if let Decision::Refuse { message, .. } = &decision {
        require_bounded(message);
    }
    if text.len() > MAX_MESSAGE_BYTES {
        assert!(matches!(decision, Decision::Refuse { .. }), "a frame over the limit is refused");
        return Corpus::Keep;
    }
    match frame {
        Err(_) => assert!(matches!(decision, Decision::Refuse { .. })),
        Ok(ClientFrame::Ping) => assert_eq!(decision, Decision::Reply(ServerFrame::Pong { message: None })),
        Ok(ClientFrame::Ack { sequences: named }) => {
            assert!(named.len() <= MAX_ACK_SEQUENCES);
            let then = ServerFrame::AckOk { acknowledged: named.len() };
            let expected = if named.is_empty() {
                Decision::Reply(then)
            } else {
                let distinct: BTreeSet<_> = named.into_iter().collect();
                Decision::Acknowledge { sequences: distinct.into_iter().collect(), then }
            };
            assert_eq!(decision, expected, "each row named is cleared once");
        }
        Ok(ClientFrame::Whoami) => assert!(matches!(decision, Decision::Reply(ServerFrame::Whoami(_)))),
        Ok(ClientFrame::History(query)) => assert_eq!(decision, Decision::History(query)),
        Ok(ClientFrame::Members(query)) => match decision {
            Decision::Members(order) => {
                assert_eq!((order.joined, order.after), (order.hub == all, query.after));
                assert_eq!(order.hub, query.hub.unwrap_or(all));
                assert!((1..=MAX_MEMBERS).contains(&order.limit));
            }
            other => panic!("it is not told: {other:?}"),
        },
        Ok(ClientFrame::Broadcast(broadcast)) if &*broadcast.message == "ping" => {
            let pong = ServerFrame::Pong { message: Some("pong".into()) };
            assert_eq!(decision, Decision::Reply(pong), "a heartbeat is sent to nobody");
        }
        Ok(ClientFrame::SendMessage(send)) => {
            let order = ordered(decision);
            let named: Vec<_> = order.targets.iter().map(|target| target.name().to_owned()).collect();
            assert!(named.iter().eq(send.sessions.iter().map(|user| user.as_str())), "all are sent to");
            let members = json_members(order.message.payload.get()).expect("an object is sent");
            assert!(!members.contains_key("sessions"), "nobody is told whom else it is for");
        }
        Ok(ClientFrame::Message(_) | ClientFrame::Broadcast(_)) => {
            assert_eq!(ordered(decision).targets.len(), 1);
        }
    }
    Corpus::Keep
});
