//! What a client's frame asks for.

use std::collections::BTreeSet;

use contract_connections_v1::ConnectionId;
use contract_frames_v1::{
    Broadcast, ClientFrame, ErrorCode, HistoryQuery, InvalidFrame, ServerFrame, Whoami,
};
use contract_identity_v1::{Method, Principal};
use contract_notifications_v1::{HubName, Sequence, Timestamp};

use super::members::{self, MembersOrder, NotTold};
use super::sending::{self, NotSent, SendOrder};
use crate::EdgeConfig;

/// The text of a `sendmessage` that is a heartbeat, and the answer to it.
const HEARTBEAT: (&str, &str) = ("ping", "pong");

/// A frame as it came from a client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Inbound<'a> {
    /// A text frame.
    Text(&'a str),
    /// A binary frame; no action has one.
    Binary,
}

/// Who sent a frame, and when.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// Who the handshake proved to be.
    pub principal: &'a Principal,
    /// The connection it came over.
    pub connection_id: &'a ConnectionId,
    /// The hubs the connection is in, the one of everyone first.
    pub hubs: &'a [HubName],
    /// When it came.
    pub now: Timestamp,
}

/// What is to be done about a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Answer, and nothing else.
    Reply(ServerFrame),
    /// Refuse the frame.
    Refuse {
        /// For programs.
        code: ErrorCode,
        /// For people; says what is allowed.
        message: String,
    },
    /// Delete these rows of the user's mailbox, then answer.
    Acknowledge {
        /// Which rows, ascending, none twice.
        sequences: Vec<Sequence>,
        /// The answer once they are deleted.
        then: ServerFrame,
    },
    /// Queue what the client sends.
    Send(SendOrder),
    /// Read the user's history.
    History(HistoryQuery),
    /// Read who is in a hub.
    Members(MembersOrder),
}

/// Decides a client's frame.
///
/// An `ack` is taken from any connection of the user, whether or not it asked to acknowledge: it clears
/// only the user's own rows, which any device of the user may clear, and to know the connection's mode
/// would cost a read per frame.
pub fn decide(frame: Inbound<'_>, caller: &Caller<'_>, config: &EdgeConfig) -> Decision {
    let Inbound::Text(text) = frame else {
        let message = "binary frames are not understood; send JSON as text frames".to_owned();
        return Decision::Refuse { code: ErrorCode::BadRequest, message };
    };
    if text.len() > config.max_message_bytes {
        let message =
            format!("the frame has {} bytes; allowed are at most {}", text.len(), config.max_message_bytes);
        return Decision::Refuse { code: ErrorCode::BadRequest, message };
    }
    match ClientFrame::from_json(text) {
        Ok(frame) => act(frame, caller, config),
        Err(error) => Decision::Refuse { code: code(&error), message: error.to_string() },
    }
}

fn act(frame: ClientFrame, caller: &Caller<'_>, config: &EdgeConfig) -> Decision {
    match frame {
        ClientFrame::Ping => Decision::Reply(ServerFrame::Pong { message: None }),
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
        ClientFrame::Members(query) => told(members::members(query, caller, config)),
        // A heartbeat is answered whether or not clients may send.
        ClientFrame::Broadcast(Broadcast { message, .. }) if &*message == HEARTBEAT.0 => {
            Decision::Reply(ServerFrame::Pong { message: Some(HEARTBEAT.1.into()) })
        }
        ClientFrame::SendMessage(frame) => sent(sending::send_message(frame, caller, config)),
        ClientFrame::Message(frame) => sent(sending::message(frame, caller, config)),
        ClientFrame::Broadcast(frame) => sent(sending::broadcast(frame, caller, config)),
    }
}

fn sent(order: Result<SendOrder, NotSent>) -> Decision {
    match order {
        Ok(order) => Decision::Send(order),
        Err(error) => {
            let code = match error {
                NotSent::Off
                | NotSent::NoEveryone
                | NotSent::NoHub
                | NotSent::OtherHub(_)
                | NotSent::Reserved(_) => ErrorCode::Forbidden,
                NotSent::TooLarge(_) => ErrorCode::BadRequest,
                NotSent::Payload(_) => ErrorCode::Internal,
            };
            Decision::Refuse { code, message: error.to_string() }
        }
    }
}

fn told(order: Result<MembersOrder, NotTold>) -> Decision {
    match order {
        Ok(order) => Decision::Members(order),
        Err(error) => Decision::Refuse { code: ErrorCode::Forbidden, message: error.to_string() },
    }
}

fn whoami(caller: &Caller<'_>) -> Whoami {
    let Principal { user_id, username, method, expires_at, .. } = caller.principal;
    let method = match method {
        Method::Token => "token",
        Method::Jwt => "jwt",
        Method::Hmac => "hmac",
        Method::Open => "open",
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
mod tests {
    use contract_notifications_v1::{UserId, Version1};
    use proptest::prelude::*;

    use super::*;

    fn inbound(frame: Inbound<'_>) -> Decision {
        let principal = Principal {
            version: Version1,
            user_id: UserId::new("jo").unwrap(),
            username: Some("Jo".to_owned()),
            method: Method::Jwt,
            hubs: Vec::new(),
            expires_at: Some(Timestamp::from_millis(9)),
        };
        let connection_id = &ConnectionId::new("c");
        let hubs = &[HubName::new("team").unwrap()];
        let now = Timestamp::from_millis(1);
        decide(frame, &Caller { principal: &principal, connection_id, hubs, now }, &EdgeConfig::default())
    }

    fn text(frame: &str) -> Decision {
        inbound(Inbound::Text(frame))
    }

    fn pong(message: Option<&str>) -> Decision {
        Decision::Reply(ServerFrame::Pong { message: message.map(Into::into) })
    }

    fn refusal(decision: Decision) -> (ErrorCode, String) {
        match decision {
            Decision::Refuse { code, message } => (code, message),
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn a_ping_is_answered() {
        assert_eq!(text(r#"{"action":"ping","at":1}"#), pong(None));
        assert_eq!(text(r#"{"action":"sendmessage","message":"ping"}"#), pong(Some("pong")));
    }

    #[test]
    fn who_asks_is_told_who_they_are() {
        let Decision::Reply(ServerFrame::Whoami(whoami)) = text(r#"{"action":"whoami"}"#) else {
            panic!("no answer")
        };
        assert_eq!((whoami.user_id.as_str(), whoami.username.as_deref()), ("jo", Some("Jo")));
        assert_eq!((&*whoami.method, &*whoami.connection_id), ("jwt", "c"));
        assert_eq!(whoami.hubs, [HubName::new("team").unwrap()]);
        assert_eq!(whoami.expires_at, Some(Timestamp::from_millis(9)));
    }

    #[test]
    fn nobody_sends_unless_it_is_allowed() {
        for frame in [
            r#"{"action":"sendMessage","sessions":["s"]}"#,
            r#"{"action":"message","data":{"content":1,"recipient":"al"}}"#,
            r#"{"action":"message","data":{"content":1}}"#,
            r#"{"action":"sendmessage","message":"hello"}"#,
        ] {
            let (code, message) = refusal(text(frame));
            assert_eq!((code, message.contains("don't send")), (ErrorCode::Forbidden, true), "{frame}");
        }
    }

    #[test]
    fn an_ack_clears_each_row_once_and_answers_how_many_it_named() {
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
    fn refusals_have_their_code_and_say_what_is_allowed() {
        let (code, message) = refusal(text(r#"{"action":"dance"}"#));
        assert_eq!(code, ErrorCode::UnknownAction);
        assert!(
            message.contains("dance") && message.contains("ping, ack, history, members, whoami"),
            "{message}"
        );
        for frame in
            ["", "hello", "[]", r#"["ping"]"#, r#"{"action":"ack"}"#, r#"{"action":"ack","sequences":["x"]}"#]
        {
            assert_eq!(refusal(text(frame)).0, ErrorCode::BadRequest, "{frame}");
        }
        let (code, message) = refusal(inbound(Inbound::Binary));
        assert_eq!(code, ErrorCode::BadRequest);
        assert!(message.contains("text frames"), "{message}");
    }

    #[test]
    fn a_frame_over_the_limit_is_refused() {
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
        fn any_text_is_decided(frame in ".{0,200}") {
            let _ = text(&frame);
        }

        #[test]
        fn rows_to_clear_are_the_distinct_ones_in_order(numbers in prop::collection::vec(0_u128..50, 1..100)) {
            let sequences = numbers.iter().copied().map(Sequence::new).collect();
            let Decision::Acknowledge { sequences, .. } = text(&ClientFrame::Ack { sequences }.to_json()) else {
                panic!("no acknowledgement")
            };
            prop_assert!(sequences.is_sorted_by(|a, b| a < b));
            prop_assert_eq!(sequences.iter().map(|s| s.number()).collect::<BTreeSet<_>>(), numbers.into_iter().collect());
        }
    }
}
