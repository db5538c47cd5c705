//! The receipts of one connection: which notifications a client surely has, told by its pongs.
//!
//! A frame that the operating system took is lost if the connection dies before the client has read it. Every
//! WebSocket endpoint answers a ping (RFC 6455, section 5.5.2), and it reads the frames before the ping first. So a
//! ping behind pushed frames carries the number of frames so far, and the pong, which repeats it, is the receipt for all
//! of them. A client may answer the latest ping alone, and may send pongs that nobody asked for (section 5.5.3);
//! therefore one ping is under way at a time, and a pong with any other payload counts for nothing.
//!
//! A ping and its pong cost about as much as a notification. So a connection to which much is pushed asks at once only
//! after a quiet time, and then at a steady pace, unless many bytes wait for a receipt. The pace is that of a task for all
//! connections ([`run_sweeper`](super::run_sweeper)), because no connection has a timer.

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
    /// True if a ping was sent since the last beat of the pace.
    asked: bool,
    /// Number of bytes without a receipt from which on a ping does not wait for the next beat.
    hurry_bytes: usize,
}

#[derive(Debug)]
struct Unconfirmed {
    /// Number of frames up to and including this one.
    number: u64,
    bytes: usize,
    sequences: Vec<Sequence>,
}

impl Receipts {
    /// Makes receipts of a connection that may have `buffer_bytes` without a receipt.
    pub(super) fn new(buffer_bytes: usize) -> Self {
        Self { hurry_bytes: buffer_bytes / 4, ..Self::default() }
    }

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

    /// Returns true if a ping is to be sent now to ask for the receipt of frames.
    pub(super) fn is_ping_due(&self) -> bool {
        !self.unconfirmed.is_empty() && self.may_ask(0)
    }

    /// Returns true if a ping may be sent now to ask for the receipt of further frames of `bytes` bytes: no other is under
    /// way, and either none was sent since the last beat, or many bytes wait.
    pub(super) const fn may_ask(&self, bytes: usize) -> bool {
        self.ping.is_none() && (!self.asked || self.bytes + bytes >= self.hurry_bytes)
    }

    /// Returns true if a ping is under way.
    pub(super) const fn is_ping_under_way(&self) -> bool {
        self.ping.is_some()
    }

    /// Notes that a ping was sent behind the first `number` frames. Returns true if it is the first since the last beat.
    pub(super) const fn pinged(&mut self, number: u64) -> bool {
        self.ping = Some(number);
        !std::mem::replace(&mut self.asked, true)
    }

    /// Notes a beat of the pace. Returns true if a ping is due now.
    pub(super) fn beat(&mut self) -> bool {
        self.asked = false;
        self.is_ping_due()
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
        let mut receipts = Receipts::new(1000);
        receipts.given(1, 10, sequences(&[1, 2]));
        receipts.given(2, 5, Vec::new());
        receipts.given(3, 10, sequences(&[3]));
        assert!(receipts.is_ping_due());
        assert!(receipts.pinged(3));
        receipts.given(4, 7, sequences(&[4]));
        assert!(!receipts.is_ping_due(), "one ping is under way at a time");
        assert_eq!(receipts.pong(&3_u64.to_be_bytes()), Some(sequences(&[1, 2, 3])));
        assert_eq!(receipts.bytes(), 7);
        assert!(!receipts.is_ping_due(), "one ping for each beat");
        assert!(receipts.beat());
        assert!(receipts.pinged(4));
        assert!(!receipts.beat(), "a ping is under way");
    }

    #[test]
    fn many_bytes_do_not_wait_for_the_beat() {
        let mut receipts = Receipts::new(1000);
        receipts.given(1, 10, sequences(&[1]));
        assert!(receipts.pinged(1));
        receipts.given(2, 10, sequences(&[2]));
        assert_eq!(receipts.pong(&1_u64.to_be_bytes()), Some(sequences(&[1])));
        assert!(!receipts.is_ping_due() && !receipts.may_ask(239) && receipts.may_ask(240));
        receipts.given(3, 240, sequences(&[3]));
        assert!(receipts.is_ping_due());
        assert!(!receipts.pinged(3), "not the first since the last beat");
    }

    #[test]
    fn other_pong_confirms_nothing() {
        let mut receipts = Receipts::new(1000);
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
        let mut receipts = Receipts::new(1000);
        assert!(!receipts.is_ping_due());
        receipts.pinged(0);
        assert!(receipts.is_ping_under_way());
        assert_eq!(receipts.pong(&0_u64.to_be_bytes()), Some(Vec::new()));
    }
}
