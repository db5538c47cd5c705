//! A client's frame and the edge's decision about it.

use std::collections::BTreeSet;

use contract_connections_v1::ConnectionId;
use contract_frames_v1::{
    Broadcast, ClientFrame, ErrorCode, MAX_ACK_SEQUENCES, MAX_MEMBERS, Message, MessageData, Recipient,
    ServerFrame,
};
use contract_identity_v1::{AuthenticationMethod, Principal};
use contract_notifications_v1::{HubName, Timestamp, UserId, Version1};
use ws_edge::{Caller, ClientMessagePolicy, Decision, EdgeConfig, Inbound, SendRequest, Target, decide};

use crate::input::Verdict;
use crate::text::{json_members, require_bounded};

/// The size limit of frames in bytes, small enough to be reached.
const MAX_MESSAGE_BYTES: usize = 512;

/// The request of a decision to send.
fn send_request(decision: Decision) -> SendRequest {
    match decision {
        Decision::Send(request) => request,
        other => panic!("the frame is not sent: {other:?}"),
    }
}

/// Reads a client's frame, writes it again, and checks the edge's decision about it.
pub fn client_frame(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Reject };
    let frame = ClientFrame::from_json(text);
    match &frame {
        Ok(frame) => {
            let again = ClientFrame::from_json(&frame.to_json()).expect("a written frame can be read");
            assert_eq!(again, *frame);
            assert!(json_members(text).is_some(), "an accepted frame is an object");
        }
        Err(error) => require_bounded(&error.to_string()),
    }
    let all = HubName::new("all").expect("the name is valid");
    let config = EdgeConfig {
        max_message_bytes: MAX_MESSAGE_BYTES,
        client_messages: ClientMessagePolicy::Anyone,
        everyone: Some(all.clone()),
        // A deep frame is refused by its depth alone, which tests of the edge cover.
        max_payload_depth: usize::MAX,
        ..EdgeConfig::default()
    };
    let principal = Principal {
        version: Version1,
        user_id: UserId::new("jo").expect("the id is valid"),
        username: None,
        method: AuthenticationMethod::Token,
        hubs: Vec::new(),
        expires_at: None,
        source_key: None,
        source_token: None,
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
        return Verdict::Keep;
    }
    match frame {
        Err(_) => assert!(matches!(decision, Decision::Refuse { .. })),
        Ok(ClientFrame::Ping) => {
            assert_eq!(decision, Decision::Reply(ServerFrame::Pong { message: None, heartbeat: None }));
        }
        Ok(ClientFrame::Ack { sequences: named }) => {
            assert!(named.len() <= MAX_ACK_SEQUENCES);
            let then = ServerFrame::AckOk { acknowledged: named.len() };
            let expected = if named.is_empty() {
                Decision::Reply(then)
            } else {
                let distinct: BTreeSet<_> = named.into_iter().collect();
                Decision::Acknowledge { sequences: distinct.into_iter().collect(), then }
            };
            assert_eq!(decision, expected, "each row is cleared once");
        }
        Ok(ClientFrame::Whoami) => assert!(matches!(decision, Decision::Reply(ServerFrame::Whoami(_)))),
        Ok(ClientFrame::History(query)) => assert_eq!(decision, Decision::History(query)),
        Ok(ClientFrame::Members(query)) => match decision {
            Decision::Members(order) => {
                assert_eq!((order.joined, order.after), (order.hub == all, query.after));
                assert_eq!(order.hub, query.hub.unwrap_or(all));
                assert!((1..=MAX_MEMBERS).contains(&order.limit));
            }
            other => panic!("members are not listed: {other:?}"),
        },
        Ok(ClientFrame::Broadcast(broadcast)) if &*broadcast.message == "ping" => {
            let pong = ServerFrame::Pong { message: Some("pong".into()), heartbeat: None };
            assert_eq!(decision, Decision::Reply(pong), "a heartbeat is not sent on");
        }
        Ok(ClientFrame::SendMessage(send)) => {
            let request = send_request(decision);
            let named = request.targets.iter().map(Target::name);
            let expected = send.sessions.iter().map(|session| {
                session.user.as_ref().map_or_else(|_| (&*session.name).into(), UserId::as_written)
            });
            assert!(named.eq(expected), "the message goes to every session named");
            let members = json_members(request.message.payload.get()).expect("the payload is an object");
            assert!(!members.contains_key("sessions"), "recipients don't see each other");
        }
        Ok(
            ClientFrame::Broadcast(Broadcast { hub: Some(hub), .. })
            | ClientFrame::Message(Message {
                data: MessageData { recipient: Recipient::Hub(hub), .. }, ..
            }),
        ) if hub.is_reserved() => {
            let is_forbidden = matches!(decision, Decision::Refuse { code: ErrorCode::Forbidden, .. });
            assert!(is_forbidden, "a hub of the gateway takes no message of a client");
        }
        Ok(ClientFrame::Message(_) | ClientFrame::Broadcast(_)) => {
            assert_eq!(send_request(decision).targets.len(), 1);
        }
    }
    Verdict::Keep
}
