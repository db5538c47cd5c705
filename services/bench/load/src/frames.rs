//! A receiver of Tidings, or of any server that sends each notification in a text frame.

use std::ops::ControlFlow;
use std::time::Duration;

use contract_frames_v1::MAX_ACK_SEQUENCES;
use tokio::time::Instant;

use crate::protocol::{Arrivals, Opcode, Protocol};

/// As the Rust client does.
const ACK_BATCH: usize = 25;
const ACK_DELAY: Duration = Duration::from_secs(1);

/// Counts the notifications of frames, and acknowledges them when it is to.
#[derive(Debug)]
pub struct Frames {
    acks: Option<Acks>,
}

impl Frames {
    /// Whether the handshake asked for acknowledgement.
    pub fn new(acknowledge: bool) -> Self {
        Self { acks: acknowledge.then(Acks::default) }
    }
}

impl Protocol for Frames {
    fn opcode(&self) -> Opcode {
        Opcode::Text
    }

    fn feed(&mut self, bytes: &[u8], arrivals: &mut Arrivals, out: &mut Vec<u8>) -> ControlFlow<()> {
        let Some(acks) = &mut self.acks else {
            arrivals.take(bytes, |_| {});
            return ControlFlow::Continue(());
        };
        arrivals.take(bytes, |found| {
            if let Some(sequence) = found.sequence {
                acks.push(sequence);
            }
        });
        if acks.count >= ACK_BATCH {
            acks.take(out);
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
            acks.take(out);
        }
    }
}

/// An acknowledgement being gathered, as the text of its frame.
#[derive(Debug, Default)]
struct Acks {
    text: Vec<u8>,
    count: usize,
    due: Option<Instant>,
}

impl Acks {
    fn push(&mut self, sequence: &[u8]) {
        let opening: &[u8] = if self.count == 0 { br#"{"action":"ack","sequences":[""# } else { br#"",""# };
        self.text.extend_from_slice(opening);
        self.text.extend_from_slice(sequence);
        self.count += 1;
    }

    /// The frame. It has as many as one frame of the server had, and fewer than a batch before: that is less
    /// than the contract allows.
    fn take(&mut self, out: &mut Vec<u8>) {
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
    fn acknowledgements_are_frames_of_the_contract() {
        let mut acks = Acks::default();
        for number in [3, 5] {
            acks.push(Sequence::new(number).to_string().as_bytes());
        }
        let mut text = Vec::new();
        acks.take(&mut text);
        let expected = ClientFrame::Ack { sequences: vec![Sequence::new(3), Sequence::new(5)] };
        assert_eq!(ClientFrame::from_json(std::str::from_utf8(&text).unwrap()).unwrap(), expected);
        assert_eq!((acks.count, acks.text.len()), (0, 0));
    }
}
