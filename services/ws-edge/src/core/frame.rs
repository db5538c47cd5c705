//! What a client's frame asks for.

use std::collections::BTreeSet;

use contract_frames_v1::{ClientFrame, ErrorCode, InvalidFrame, ServerFrame};
use contract_notifications_v1::Sequence;

use crate::EdgeConfig;

/// A frame as it came from a client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Inbound<'a> {
    /// A text frame.
    Text(&'a str),
    /// A binary frame; no action has one.
    Binary,
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
}

/// Decides a client's frame.
///
/// An `ack` is taken from any connection of the user, whether or not it asked to acknowledge: it clears
/// only the user's own rows, which any device of the user may clear, and to know the connection's mode
/// would cost a read per frame.
pub fn decide(frame: Inbound<'_>, config: &EdgeConfig) -> Decision {
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
        Ok(ClientFrame::Ping) => Decision::Reply(ServerFrame::Pong),
        Ok(ClientFrame::Ack { sequences }) => {
            let then = ServerFrame::AckOk { acknowledged: sequences.len() };
            let distinct: BTreeSet<_> = sequences.into_iter().collect();
            if distinct.is_empty() {
                return Decision::Reply(then);
            }
            Decision::Acknowledge { sequences: distinct.into_iter().collect(), then }
        }
        Err(error) => Decision::Refuse { code: code(&error), message: error.to_string() },
    }
}

const fn code(error: &InvalidFrame) -> ErrorCode {
    match error {
        InvalidFrame::UnknownAction { .. } => ErrorCode::UnknownAction,
        InvalidFrame::Json(_)
        | InvalidFrame::Form { .. }
        | InvalidFrame::Sequence(_)
        | InvalidFrame::TooManySequences { .. } => ErrorCode::BadRequest,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(frame: &str) -> Decision {
        decide(Inbound::Text(frame), &EdgeConfig::default())
    }

    fn refusal(decision: Decision) -> (ErrorCode, String) {
        match decision {
            Decision::Refuse { code, message } => (code, message),
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn a_ping_is_answered() {
        assert_eq!(text(r#"{"action":"ping","at":1}"#), Decision::Reply(ServerFrame::Pong));
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
        assert!(message.contains("dance") && message.contains("ping, ack"), "{message}");
        for frame in
            ["", "hello", "[]", r#"["ping"]"#, r#"{"action":"ack"}"#, r#"{"action":"ack","sequences":["x"]}"#]
        {
            assert_eq!(refusal(text(frame)).0, ErrorCode::BadRequest, "{frame}");
        }
        let (code, message) = refusal(decide(Inbound::Binary, &EdgeConfig::default()));
        assert_eq!(code, ErrorCode::BadRequest);
        assert!(message.contains("text frames"), "{message}");
    }

    #[test]
    fn a_frame_over_the_limit_is_refused() {
        let blanks = |bytes: usize| {
            let ping = r#"{"action":"ping"}"#;
            format!("{ping}{}", " ".repeat(bytes - ping.len()))
        };
        assert_eq!(text(&blanks(128 * 1024)), Decision::Reply(ServerFrame::Pong));
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
