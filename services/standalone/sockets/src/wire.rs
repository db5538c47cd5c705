//! The frames that a server writes. They are never masked, and a text is split only if it exceeds the frame limit.

use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// A ping without payload.
pub(super) const PING: [u8; 2] = [0x89, 0];

/// Appends a ping whose payload is `number`.
pub(super) fn ping(into: &mut Vec<u8>, number: u64) {
    const HEADER: [u8; 2] = [PING[0], 8];
    into.extend_from_slice(&HEADER);
    into.extend_from_slice(&number.to_be_bytes());
}

/// Appends a text message, in frames of at most `max_frame` bytes.
pub(super) fn text(into: &mut Vec<u8>, payload: &[u8], max_frame: usize) {
    let mut opcode = OpCode::Data(Data::Text);
    let mut rest = payload;
    loop {
        let (frame, after) = rest.split_at(rest.len().min(max_frame.max(1)));
        let header = FrameHeader { is_final: after.is_empty(), opcode, ..FrameHeader::default() };
        // A vector takes every write.
        let _ = header.format(frame.len() as u64, into);
        into.extend_from_slice(frame);
        if after.is_empty() {
            return;
        }
        (opcode, rest) = (OpCode::Data(Data::Continue), after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ping_carries_its_number() {
        let mut into = Vec::new();
        ping(&mut into, 258);
        assert_eq!(into, [0x89, 8, 0, 0, 0, 0, 0, 0, 1, 2]);
    }

    #[test]
    fn long_message_is_split_into_frames() {
        let frames = |payload: &[u8], max_frame| {
            let mut into = Vec::new();
            text(&mut into, payload, max_frame);
            into
        };
        assert_eq!(frames(b"abc", 3), b"\x81\x03abc");
        assert_eq!(frames(b"abcde", 2), b"\x01\x02ab\x00\x02cd\x80\x01e");
        assert_eq!(frames(b"", 2), b"\x81\x00");
        let long = frames(&[b'x'; 300], usize::MAX);
        assert_eq!((&long[..4], long.len()), (b"\x81\x7e\x01\x2c".as_slice(), 304));
    }
}
