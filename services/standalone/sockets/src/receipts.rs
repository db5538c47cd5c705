//! The receipts of one connection: which notifications a client surely has, told by its pongs.
//!
//! A frame that the operating system took is lost if the connection dies before the client has read it. Every
//! WebSocket endpoint answers a ping (RFC 6455, section 5.5.2), and it reads the frames before the ping first. So a
//! ping behind pushed frames carries the number of frames so far, and the pong, which repeats it, is the receipt for all
//! of them. A client may answer the latest ping alone, and may send pongs that nobody asked for (section 5.5.3);
//! therefore one ping is under way at a time, and a pong with any other payload counts for nothing.

use std::collections::VecDeque;

use contract_notifications_v1::Sequence;

/// The frames of one connection that carry notifications and have no receipt yet.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    /// Frames that were given to the socket, the oldest first.
    unconfirmed: VecDeque<Unconfirmed>,
    /// Their bytes.
    bytes: usize,
    /// The number in the ping under way.
    ping: Option<u64>,
}

#[derive(Debug)]
struct Unconfirmed {
    /// Number of frames up to and including this one.
    number: u64,
    bytes: usize,
    sequences: Vec<Sequence>,
}

impl Receipts {
    /// Notes that a frame was given to the socket. `number` counts the frames up to and including this one.
    pub(super) fn given(&mut self, number: u64, bytes: usize, sequences: Vec<Sequence>) {
        if !sequences.is_empty() {
            self.bytes += bytes;
            self.unconfirmed.push_back(Unconfirmed { number, bytes, sequences });
        }
    }

    /// Returns the number of bytes without a receipt.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns true if frames wait for a receipt, and no ping is under way that asks for one.
    pub(super) fn is_ping_due(&self) -> bool {
        self.ping.is_none() && !self.unconfirmed.is_empty()
    }

    /// Returns true if a ping is under way.
    pub(super) const fn is_ping_under_way(&self) -> bool {
        self.ping.is_some()
    }

    /// Notes that a ping was sent behind the first `number` frames.
    pub(super) const fn pinged(&mut self, number: u64) {
        self.ping = Some(number);
    }

    /// Takes a pong. Returns the notifications for which it is the receipt, in order, or `None` if it does not answer the
    /// ping under way.
    pub(super) fn pong(&mut self, payload: &[u8]) -> Option<Vec<Sequence>> {
        let number = self.ping.filter(|number| payload == number.to_be_bytes())?;
        self.ping = None;
        let confirmed = self.unconfirmed.partition_point(|frame| frame.number <= number);
        let frames = self.unconfirmed.drain(..confirmed);
        let mut sequences = Vec::with_capacity(confirmed);
        for frame in frames {
            self.bytes -= frame.bytes;
            sequences.extend(frame.sequences);
        }
        // An idle connection does not keep the memory of a burst.
        if self.unconfirmed.is_empty() && self.unconfirmed.capacity() > 8 {
            self.unconfirmed = VecDeque::new();
        }
        Some(sequences)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequences(numbers: &[u128]) -> Vec<Sequence> {
        numbers.iter().copied().map(Sequence::new).collect()
    }

    #[test]
    fn pong_confirms_the_frames_before_its_ping() {
        let mut receipts = Receipts::default();
        receipts.given(1, 10, sequences(&[1, 2]));
        receipts.given(2, 5, Vec::new());
        receipts.given(3, 10, sequences(&[3]));
        assert!(receipts.is_ping_due());
        receipts.pinged(3);
        receipts.given(4, 7, sequences(&[4]));
        assert!(!receipts.is_ping_due(), "one ping is under way at a time");
        assert_eq!(receipts.pong(&3_u64.to_be_bytes()), Some(sequences(&[1, 2, 3])));
        assert_eq!(receipts.bytes(), 7);
        assert!(receipts.is_ping_due());
    }

    #[test]
    fn other_pong_confirms_nothing() {
        let mut receipts = Receipts::default();
        receipts.given(1, 10, sequences(&[1]));
        assert_eq!(receipts.pong(&1_u64.to_be_bytes()), None, "no ping is under way");
        receipts.pinged(1);
        for payload in [&b""[..], b"x", &2_u64.to_be_bytes(), &0_u64.to_be_bytes(), &[0; 125]] {
            assert_eq!(receipts.pong(payload), None);
        }
        assert_eq!(receipts.pong(&1_u64.to_be_bytes()), Some(sequences(&[1])));
        assert_eq!(receipts.pong(&1_u64.to_be_bytes()), None, "a receipt counts once");
    }

    #[test]
    fn keepalive_ping_confirms_nothing_new() {
        let mut receipts = Receipts::default();
        assert!(!receipts.is_ping_due());
        receipts.pinged(0);
        assert!(receipts.is_ping_under_way());
        assert_eq!(receipts.pong(&0_u64.to_be_bytes()), Some(Vec::new()));
    }
}
