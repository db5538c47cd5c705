//! A client's frame, and what the edge decides about it.

#![no_main]

use std::collections::BTreeSet;

use contract_frames_v1::{ClientFrame, MAX_ACK_SEQUENCES, ServerFrame};
use fuzz::{json_members, require_bounded};
use libfuzzer_sys::{Corpus, fuzz_target};
use ws_edge::{Decision, EdgeConfig, Inbound, decide};

/// Small, so that it is reached.
const MAX_MESSAGE_BYTES: usize = 512;

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
    let config = EdgeConfig { max_message_bytes: MAX_MESSAGE_BYTES, ..EdgeConfig::default() };
    let decision = decide(Inbound::Text(text), &config);
    if let Decision::Refuse { message, .. } = &decision {
        require_bounded(message);
    }
    if text.len() > MAX_MESSAGE_BYTES {
        assert!(matches!(decision, Decision::Refuse { .. }), "a frame over the limit is refused");
        return Corpus::Keep;
    }
    match frame {
        Err(_) => assert!(matches!(decision, Decision::Refuse { .. })),
        Ok(ClientFrame::Ping) => assert_eq!(decision, Decision::Reply(ServerFrame::Pong)),
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
    }
    Corpus::Keep
});
