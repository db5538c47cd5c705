//! Decides clients' frames: each becomes one [`Decision`] for the service to carry out.

use std::collections::BTreeSet;

use contract_frames_v1::{
    Broadcast, ClientFrame, ErrorCode, HistoryQuery, InvalidFrame, ServerFrame, Whoami,
};
use contract_identity_v1::{AuthenticationMethod, Principal};
use contract_notifications_v1::Sequence;

use super::caller::Caller;
use super::client_messages::{self, SendRefusal, SendRequest};
use super::members::{self, MembersRefusal, MembersRequest};
use crate::config::EdgeConfig;

/// Text of a `sendmessage` that is a heartbeat, and text of the answer.
const HEARTBEAT: (&str, &str) = ("ping", "pong");

/// A frame from a client, not yet parsed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Inbound<'a> {
    /// A text frame.
    Text(&'a str),
    /// A binary frame. No action uses them.
    Binary,
}

/// The action to take for a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Answer with this frame.
    Reply(ServerFrame),
    /// Answer with an error frame.
    Refuse {
        /// The code, for programs.
        code: ErrorCode,
        /// The text, for people; it says what is allowed.
        message: String,
    },
    /// Delete these rows of the user's mailbox, then answer.
    Acknowledge {
        /// Sequences of the rows, ascending without duplicates.
        sequences: Vec<Sequence>,
        /// The answer after the rows are deleted.
        then: ServerFrame,
    },
    /// Queue a message to other clients.
    Send(SendRequest),
    /// Answer with a page of the user's history.
    History(HistoryQuery),
    /// Answer with a page of a hub's connected members.
    Members(MembersRequest),
}

/// Decides a client's frame.
///
/// Any connection of the user may send an `ack`, even one that did not ask to acknowledge. An `ack` clears
/// only the user's own rows, which each of the user's devices may clear, and a check of the connection's mode
/// would cost a read for each frame.
pub fn decide(frame: Inbound<'_>, caller: &Caller<'_>, config: &EdgeConfig) -> Decision {
    let Inbound::Text(text) = frame else {
        let message = "binary frames are not supported; send JSON in text frames".to_owned();
        return Decision::Refuse { code: ErrorCode::BadRequest, message };
    };
    if text.len() > config.max_message_bytes {
        let message =
            format!("the frame has {} bytes; at most {} are allowed", text.len(), config.max_message_bytes);
        return Decision::Refuse { code: ErrorCode::BadRequest, message };
    }
    match ClientFrame::from_json(text) {
        Ok(frame) => act(frame, caller, config),
        Err(error) => Decision::Refuse { code: code(&error), message: error.to_string() },
    }
}

fn act(frame: ClientFrame, caller: &Caller<'_>, config: &EdgeConfig) -> Decision {
    match frame {
        ClientFrame::Ping => Decision::Reply(pong(config)),
        ClientFrame::Ack { sequences } => {
            let then = ServerFrame::AckOk { acknowledged: sequences.len() };
            let distinct: BTreeSet<_> = sequences.into_iter().collect();
            if distinct.is_empty() {
                return Decision::Reply(then);
            }
            Decision::Acknowledge { sequences: distinct.into_iter().collect(), then }
        }
        ClientFrame::Whoami => Decision::Reply(ServerFrame::Whoami(whoami(caller))),
        ClientFrame::History(query) => Decision::History(query),
        ClientFrame::Members(query) => list_members(members::decide(query, caller, config)),
        // Heartbeats are answered even if clients may not send.
        ClientFrame::Broadcast(Broadcast { message, .. }) if &*message == HEARTBEAT.0 => {
            Decision::Reply(ServerFrame::Pong { message: Some(HEARTBEAT.1.into()), heartbeat: None })
        }
        ClientFrame::SendMessage(frame) => send(client_messages::send_message(frame, caller, config)),
        ClientFrame::Message(frame) => send(client_messages::message(frame, caller, config)),
        ClientFrame::Broadcast(frame) => send(client_messages::broadcast(frame, caller, config)),
    }
}

fn pong(config: &EdgeConfig) -> ServerFrame {
    let heartbeat = config.heartbeat.and_then(|time| u64::try_from(time.as_millis()).ok());
    ServerFrame::Pong { message: None, heartbeat }
}

fn send(request: Result<SendRequest, SendRefusal>) -> Decision {
    match request {
        Ok(request) => Decision::Send(request),
        Err(error) => {
            let code = match error {
                SendRefusal::Off
                | SendRefusal::NoEveryone
                | SendRefusal::NoHub
                | SendRefusal::OtherHub(_)
                | SendRefusal::Reserved(_) => ErrorCode::Forbidden,
                SendRefusal::TooDeep(_) | SendRefusal::TooLarge(_) => ErrorCode::BadRequest,
                SendRefusal::Payload(_) => ErrorCode::Internal,
            };
            Decision::Refuse { code, message: error.to_string() }
        }
    }
}

fn list_members(request: Result<MembersRequest, MembersRefusal>) -> Decision {
    match request {
        Ok(request) => Decision::Members(request),
        Err(error) => Decision::Refuse { code: ErrorCode::Forbidden, message: error.to_string() },
    }
}

fn whoami(caller: &Caller<'_>) -> Whoami {
    let Principal { user_id, username, method, expires_at, .. } = caller.principal;
    let method = match method {
        AuthenticationMethod::Token => "token",
        AuthenticationMethod::Jwt => "jwt",
        AuthenticationMethod::Hmac => "hmac",
        AuthenticationMethod::Open => "open",
    };
    Whoami {
        user_id: user_id.clone(),
        username: username.as_deref().map(Into::into),
        method: method.into(),
        connection_id: caller.connection_id.as_str().into(),
        hubs: caller.hubs.to_vec(),
        expires_at: *expires_at,
    }
}

const fn code(error: &InvalidFrame) -> ErrorCode {
    match error {
        InvalidFrame::UnknownAction { .. } => ErrorCode::UnknownAction,
        _ => ErrorCode::BadRequest,
    }
}

#[cfg(test)]
mod client_message_tests;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use contract_connections_v1::ConnectionId;
    use contract_notifications_v1::{HubName, Timestamp, UserId, Version1};
    use proptest::prelude::*;

    use super::*;

    fn inbound(frame: Inbound<'_>) -> Decision {
        decided(&EdgeConfig::default(), frame)
    }

    fn decided(config: &EdgeConfig, frame: Inbound<'_>) -> Decision {
        let principal = Principal {
            version: Version1,
            user_id: UserId::new("jo").unwrap(),
            username: Some("Jo".to_owned()),
            method: AuthenticationMethod::Jwt,
            hubs: Vec::new(),
            expires_at: Some(Timestamp::from_millis(9)),
            source_key: None,
            source_token: None,
        };
        let connection_id = &ConnectionId::new("c");
        let hubs = &[HubName::new("team").unwrap()];
        let now = Timestamp::from_millis(1);
        decide(frame, &Caller { principal: &principal, connection_id, hubs, now }, config)
    }

    fn text(frame: &str) -> Decision {
        inbound(Inbound::Text(frame))
    }

    fn pong(message: Option<&str>) -> Decision {
        Decision::Reply(ServerFrame::Pong { message: message.map(Into::into), heartbeat: None })
    }

    fn refusal(decision: Decision) -> (ErrorCode, String) {
        match decision {
            Decision::Refuse { code, message } => (code, message),
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn ping_is_answered() {
        assert_eq!(text(r#"{"action":"ping","at":1}"#), pong(None));
        assert_eq!(text(r#"{"action":"sendmessage","message":"ping"}"#), pong(Some("pong")));
        let config = EdgeConfig { heartbeat: Some(Duration::from_secs(9)), ..EdgeConfig::default() };
        let told = decided(&config, Inbound::Text(r#"{"action":"ping"}"#));
        assert_eq!(told, Decision::Reply(ServerFrame::Pong { message: None, heartbeat: Some(9_000) }));
    }

    #[test]
    fn whoami_names_the_user_and_connection() {
        let Decision::Reply(ServerFrame::Whoami(whoami)) = text(r#"{"action":"whoami"}"#) else {
            panic!("no answer")
        };
        assert_eq!((whoami.user_id.as_str(), whoami.username.as_deref()), ("jo", Some("Jo")));
        assert_eq!((&*whoami.method, &*whoami.connection_id), ("jwt", "c"));
        assert_eq!(whoami.hubs, [HubName::new("team").unwrap()]);
        assert_eq!(whoami.expires_at, Some(Timestamp::from_millis(9)));
    }

    #[test]
    fn client_messages_are_off_by_default() {
        for frame in [
            r#"{"action":"sendMessage","sessions":["s"]}"#,
            r#"{"action":"message","data":{"content":1,"recipient":"al"}}"#,
            r#"{"action":"message","data":"hello"}"#,
            r#"{"action":"sendmessage","message":"hello"}"#,
        ] {
            let (code, message) = refusal(text(frame));
            assert_eq!((code, message.contains("don't send")), (ErrorCode::Forbidden, true), "{frame}");
        }
    }

    #[test]
    fn ack_deduplicates_rows_and_counts_named_ones() {
        assert_eq!(
            text(r#"{"action":"ack","sequences":["7","3","007"]}"#),
            Decision::Acknowledge {
                sequences: vec![Sequence::new(3), Sequence::new(7)],
                then: ServerFrame::AckOk { acknowledged: 3 },
            }
        );
        let nothing = Decision::Reply(ServerFrame::AckOk { acknowledged: 0 });
        assert_eq!(text(r#"{"action":"ack","sequences":[]}"#), nothing);
    }

    #[test]
    fn refusal_has_a_code_and_says_what_is_allowed() {
        let (code, message) = refusal(text(r#"{"action":"dance"}"#));
        assert_eq!(code, ErrorCode::UnknownAction);
        assert!(
            message.contains("dance") && message.contains("ping, ack, history, members, whoami"),
            "{message}"
        );
        for frame in [
            "",
            "hello",
            "[]",
            r#"["ping"]"#,
            "{}",
            r#"{"action":"ping","action":"whoami"}"#,
            r#"{"action":"ack"}"#,
            r#"{"action":"ack","sequences":["x"]}"#,
        ] {
            assert_eq!(refusal(text(frame)).0, ErrorCode::BadRequest, "{frame}");
        }
        let (code, message) = refusal(inbound(Inbound::Binary));
        assert_eq!(code, ErrorCode::BadRequest);
        assert!(message.contains("text frames"), "{message}");
    }

    #[test]
    fn oversized_frame_is_refused() {
        let blanks = |bytes: usize| {
            let ping = r#"{"action":"ping"}"#;
            format!("{ping}{}", " ".repeat(bytes - ping.len()))
        };
        assert_eq!(text(&blanks(128 * 1024)), pong(None));
        let (code, message) = refusal(text(&blanks(128 * 1024 + 1)));
        assert_eq!(code, ErrorCode::BadRequest);
        assert!(message.contains("131073") && message.contains("131072"), "{message}");
    }

    proptest! {
        #[test]
        fn any_text_gets_a_decision(frame in ".{0,200}") {
            let _ = text(&frame);
        }

        #[test]
        fn acknowledged_rows_are_distinct_and_ascending(
            numbers in prop::collection::vec(0_u128..50, 1..100),
        ) {
            let sequences = numbers.iter().copied().map(Sequence::new).collect();
            let Decision::Acknowledge { sequences, .. } = text(&ClientFrame::Ack { sequences }.to_json()) else {
                panic!("no acknowledgement")
            };
            prop_assert!(sequences.is_sorted_by(|a, b| a < b));
            let cleared: BTreeSet<_> = sequences.iter().map(|sequence| sequence.number()).collect();
            prop_assert_eq!(cleared, numbers.into_iter().collect());
        }
    }
}
