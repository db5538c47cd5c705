//! The receipts of one connection: which notifications a client surely has, told by its pongs.
//!
//! A frame that the operating system took is lost if the connection dies before the client has read it. Every
//! WebSocket endpoint answers a ping (RFC 6455, section 5.5.2), and it reads the frames before the ping first. So a
//! ping behind pushed frames carries the number of frames so far, and the pong, which repeats it, is the receipt for all
//! of them. A client may answer the latest ping alone, and may send pongs that nobody asked for (section 5.5.3);
//! therefore a pong is the receipt for all frames up to its number, and one with a number that no ping under way has
//! counts for nothing.
//!
//! Pings follow each other for two reasons. A ping and its pong cost about as much as a notification: a busy connection
//! asks at once only after a quiet time, and then at a steady pace, that of a task for all connections
//! ([`run_sweeper`](super::run_sweeper)), because no connection has a timer. And a program that takes its time for each
//! message may answer a ping only when it has read the messages before it: so no more than [`FEW_FRAMES`] frames, or
//! [`ASK_BYTES`] bytes, are without a ping behind them. A client that answers within a beat may have twice as many
//! frames until the next ping, up to [`MANY_FRAMES`]; one that takes longer has few again.

use std::collections::VecDeque;

use contract_notifications_v1::Sequence;

/// Number of frames after which a ping follows at once. A program that needs three seconds for each message answers it
/// within the shortest usual keepalive, half a minute.
const FEW_FRAMES: usize = 8;
/// The same for a client that answers quickly.
const MANY_FRAMES: usize = 128;
/// Number of bytes after which a ping follows at once.
const ASK_BYTES: usize = 64 * 1024;

/// Decides when a connection asks for a receipt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asking {
    /// Number of frames with notifications since the last ping.
    frames: usize,
    /// Their bytes.
    bytes: usize,
    /// True if a ping is under way.
    under_way: bool,
    /// True if a ping was sent since the last beat of the pace.
    asked: bool,
    /// Number of frames after which a ping follows at once.
    most_frames: usize,
    /// Number of bytes after which a ping follows at once.
    most_bytes: usize,
}

impl Asking {
    fn new(buffer_bytes: usize) -> Self {
        let most_bytes = ASK_BYTES.min(buffer_bytes / 4);
        Self { frames: 0, bytes: 0, under_way: false, asked: false, most_frames: FEW_FRAMES, most_bytes }
    }

    /// Notes a frame with notifications.
    pub(super) const fn given(&mut self, bytes: usize) {
        self.frames += 1;
        self.bytes += bytes;
    }

    /// Returns true if a ping must follow the frame just given, even if others come behind it.
    pub(super) const fn is_due_at_once(&self) -> bool {
        self.frames >= self.most_frames || self.bytes >= self.most_bytes && self.frames > 0
    }

    /// Returns true if a ping is to be sent when no other frame comes behind.
    pub(super) const fn is_due(&self) -> bool {
        self.is_due_at_once() || self.frames > 0 && !self.under_way && !self.asked
    }

    /// Notes a ping. Returns true if it is the first since the last beat.
    pub(super) const fn pinged(&mut self) -> bool {
        (self.frames, self.bytes, self.under_way) = (0, 0, true);
        !std::mem::replace(&mut self.asked, true)
    }

    /// Notes the answer to the last ping.
    fn answered(&mut self) {
        self.under_way = false;
        if self.asked {
            self.most_frames = MANY_FRAMES.min(self.most_frames * 2);
        }
    }

    /// Notes a beat of the pace. Returns true if a ping is due now.
    const fn beat(&mut self) -> bool {
        if self.under_way && !self.asked {
            self.most_frames = FEW_FRAMES;
        }
        self.asked = false;
        self.is_due()
    }
}

/// The frames of one connection that carry notifications and have no receipt yet.
#[derive(Debug)]
pub(super) struct Receipts {
    /// Frames that were given to the socket, the oldest first.
    unconfirmed: VecDeque<Unconfirmed>,
    /// Their bytes.
    bytes: usize,
    /// The numbers in the pings under way, in ascending order.
    pings: VecDeque<u64>,
    asking: Asking,
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
        let asking = Asking::new(buffer_bytes);
        Self { unconfirmed: VecDeque::new(), bytes: 0, pings: VecDeque::new(), asking }
    }

    /// Notes that a frame was given to the socket. `number` counts the frames up to and including this one.
    pub(super) fn given(&mut self, number: u64, bytes: usize, sequences: Vec<Sequence>) {
        if !sequences.is_empty() {
            self.bytes += bytes;
            self.asking.given(bytes);
            self.unconfirmed.push_back(Unconfirmed { number, bytes, sequences });
        }
    }

    /// Returns the number of bytes without a receipt.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns what decides when to ask for the next receipt.
    pub(super) const fn asking(&self) -> Asking {
        self.asking
    }

    /// Returns true if a ping is under way.
    pub(super) fn is_ping_under_way(&self) -> bool {
        !self.pings.is_empty()
    }

    /// Notes that a ping was sent behind the first `number` frames. Returns true if it is the first since the last beat.
    pub(super) fn pinged(&mut self, number: u64) -> bool {
        self.pings.push_back(number);
        self.asking.pinged()
    }

    /// Notes a beat of the pace. Returns true if a ping is due now.
    pub(super) const fn beat(&mut self) -> bool {
        self.asking.beat()
    }

    /// Takes a pong. Returns the notifications for which it is the receipt, in order, or `None` if it does not answer a
    /// ping under way.
    pub(super) fn pong(&mut self, payload: &[u8]) -> Option<Vec<Sequence>> {
        let number = u64::from_be_bytes(payload.try_into().ok()?);
        let at = self.pings.binary_search(&number).ok()?;
        self.pings.drain(..=at);
        if self.pings.is_empty() {
            self.asking.answered();
        }
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
        if self.pings.is_empty() && self.pings.capacity() > 8 {
            self.pings = VecDeque::new();
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
        assert!(receipts.asking().is_due() && !receipts.asking().is_due_at_once());
        assert!(receipts.pinged(3));
        receipts.given(4, 7, sequences(&[4]));
        assert!(!receipts.asking().is_due(), "a ping is under way");
        assert_eq!(receipts.pong(&3_u64.to_be_bytes()), Some(sequences(&[1, 2, 3])));
        assert_eq!(receipts.bytes(), 7);
        assert!(!receipts.asking().is_due(), "one ping for each beat");
        assert!(receipts.beat());
        assert!(receipts.pinged(4));
        assert!(!receipts.beat(), "nothing new");
    }

    #[test]
    fn ping_follows_some_frames_or_many_bytes_at_once() {
        let mut receipts = Receipts::new(4000);
        for number in 1..=30 {
            receipts.given(number, 10, sequences(&[u128::from(number)]));
            if receipts.asking().is_due_at_once() {
                assert_eq!(receipts.pinged(number), number == 8);
            }
        }
        assert_eq!(receipts.pings, [8, 16, 24]);
        receipts.given(31, 1000, sequences(&[31]));
        assert!(receipts.asking().is_due_at_once());
        receipts.pinged(31);
        // The client answers the second, and then the latest alone.
        assert_eq!(receipts.pong(&16_u64.to_be_bytes()).unwrap().len(), 16);
        assert!(receipts.is_ping_under_way());
        assert_eq!(receipts.pong(&8_u64.to_be_bytes()), None, "it is confirmed already");
        assert_eq!(receipts.pong(&31_u64.to_be_bytes()).unwrap().len(), 15);
        assert!(!receipts.is_ping_under_way());
        assert_eq!(receipts.bytes(), 0);
    }

    #[test]
    fn quick_client_is_asked_less_often() {
        let mut receipts = Receipts::new(1_000_000);
        let mut number = 0;
        let mut frames_until_ping = |receipts: &mut Receipts| {
            for frames in 1.. {
                number += 1;
                receipts.given(number, 10, sequences(&[u128::from(number)]));
                if receipts.asking().is_due_at_once() {
                    receipts.pinged(number);
                    return (frames, number);
                }
            }
            unreachable!()
        };
        for expected in [8, 16, 32, 64, 128, 128] {
            let (frames, number) = frames_until_ping(&mut receipts);
            assert_eq!(frames, expected);
            receipts.pong(&number.to_be_bytes()).unwrap();
        }
        let (_, slow) = frames_until_ping(&mut receipts);
        receipts.beat();
        assert_eq!(frames_until_ping(&mut receipts).0, 128, "it may be on its way");
        receipts.pong(&slow.to_be_bytes()).unwrap();
        receipts.beat();
        receipts.beat();
        assert_eq!(frames_until_ping(&mut receipts).0, 8, "a whole beat without an answer");
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
        assert!(!receipts.asking().is_due());
        receipts.pinged(0);
        assert!(receipts.is_ping_under_way());
        assert_eq!(receipts.pong(&0_u64.to_be_bytes()), Some(Vec::new()));
    }
}
