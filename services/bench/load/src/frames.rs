//! The receiving side of Tidings' WebSocket frames. It also reads any server that sends each notification in
//! a text frame.

use std::ops::ControlFlow;
use std::time::Duration;

use contract_frames_v1::MAX_ACK_SEQUENCES;
use tokio::time::Instant;

use crate::protocol::{ArrivalCounter, Opcode, Protocol};

/// Sequences in an acknowledgement, as the Rust client batches them.
const ACK_BATCH: usize = 25;
/// Longest wait before an incomplete batch is acknowledged.
const ACK_DELAY: Duration = Duration::from_secs(1);

/// Counts the notifications in frames, and acknowledges them on connections that asked for it.
#[derive(Debug)]
pub struct FrameProtocol {
    acks: Option<AckBatch>,
}

impl FrameProtocol {
    /// Creates the protocol of one connection. `acknowledge` must match what its handshake asked for.
    pub fn new(acknowledge: bool) -> Self {
        Self { acks: acknowledge.then(AckBatch::default) }
    }
}

impl Protocol for FrameProtocol {
    fn opcode(&self) -> Opcode {
        Opcode::Text
    }

    fn feed(&mut self, bytes: &[u8], arrivals: &mut ArrivalCounter, out: &mut Vec<u8>) -> ControlFlow<()> {
        let Some(acks) = &mut self.acks else {
            arrivals.count(bytes, |_| {});
            return ControlFlow::Continue(());
        };
        arrivals.count(bytes, |found| {
            if let Some(sequence) = found.sequence {
                acks.push(sequence);
            }
        });
        if acks.count >= ACK_BATCH {
            acks.flush(out);
        } else if acks.count > 0 {
            acks.due.get_or_insert_with(|| Instant::now() + ACK_DELAY);
        }
        ControlFlow::Continue(())
    }

    fn due(&self) -> Option<Instant> {
        self.acks.as_ref().and_then(|acks| acks.due)
    }

    fn tick(&mut self, out: &mut Vec<u8>) {
        if let Some(acks) = self.acks.as_mut().filter(|acks| acks.count > 0) {
            acks.flush(out);
        }
    }
}

/// An acknowledgement frame under construction, already as JSON text.
#[derive(Debug, Default)]
struct AckBatch {
    text: Vec<u8>,
    count: usize,
    due: Option<Instant>,
}

impl AckBatch {
    fn push(&mut self, sequence: &[u8]) {
        let opening: &[u8] = if self.count == 0 { br#"{"action":"ack","sequences":[""# } else { br#"",""# };
        self.text.extend_from_slice(opening);
        self.text.extend_from_slice(sequence);
        self.count += 1;
    }

    /// Moves the frame to `out` and starts the next.
    ///
    /// The frame has fewer sequences than the contract allows: those of one server frame and less than a batch
    /// before it.
    fn flush(&mut self, out: &mut Vec<u8>) {
        debug_assert!(self.count <= MAX_ACK_SEQUENCES);
        out.append(&mut self.text);
        out.extend_from_slice(br#""]}"#);
        (self.count, self.due) = (0, None);
    }
}

#[cfg(test)]
mod tests {
    use contract_frames_v1::ClientFrame;
    use contract_notifications_v1::Sequence;

    use super::*;

    #[test]
    fn acknowledgements_follow_the_contract() {
        let mut acks = AckBatch::default();
        for number in [3, 5] {
            acks.push(Sequence::new(number).to_string().as_bytes());
        }
        let mut text = Vec::new();
        acks.flush(&mut text);
        let expected = ClientFrame::Ack { sequences: vec![Sequence::new(3), Sequence::new(5)] };
        assert_eq!(ClientFrame::from_json(std::str::from_utf8(&text).unwrap()).unwrap(), expected);
        assert_eq!((acks.count, acks.text.len()), (0, 0));
    }
}
