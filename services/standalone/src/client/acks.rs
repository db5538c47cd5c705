//! Which sequences are to be acknowledged, and when.

use std::time::Duration;

use contract_frames_v1::{ClientFrame, MAX_ACK_SEQUENCES};
use contract_notifications_v1::Sequence;
use tokio::time::Instant;

/// Gathers acknowledgements: a batch is due when it is full or its first has waited long enough.
#[derive(Debug)]
pub struct AckBatch {
    sequences: Vec<Sequence>,
    since: Option<Instant>,
    size: usize,
    delay: Duration,
}

impl AckBatch {
    /// Batches of `size`, none older than `delay`.
    pub fn new(size: usize, delay: Duration) -> Self {
        Self { sequences: Vec::new(), since: None, size: size.clamp(1, MAX_ACK_SEQUENCES), delay }
    }

    /// Adds a sequence.
    pub fn push(&mut self, sequence: Sequence, now: Instant) {
        self.sequences.push(sequence);
        self.since.get_or_insert(now);
    }

    /// Whether nothing waits.
    pub const fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    /// When the batch is due; never while it is empty.
    pub fn due(&self) -> Option<Instant> {
        let since = self.since?;
        Some(if self.sequences.len() >= self.size { since } else { since + self.delay })
    }

    /// The frame to send next, whether it is due or not. It stays in the batch until [`AckBatch::sent`]: a
    /// frame that a broken connection swallowed is sent again on the next.
    pub fn frame(&self) -> Option<ClientFrame> {
        let sequences = self.sequences.iter().take(MAX_ACK_SEQUENCES).copied().collect::<Vec<_>>();
        (!sequences.is_empty()).then_some(ClientFrame::Ack { sequences })
    }

    /// Takes out what the last [`AckBatch::frame`] named.
    pub fn sent(&mut self) {
        self.sequences.drain(..self.sequences.len().min(MAX_ACK_SEQUENCES));
        if self.sequences.is_empty() {
            self.since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(frame: Option<ClientFrame>) -> Vec<u128> {
        match frame {
            Some(ClientFrame::Ack { sequences }) => sequences.iter().map(|s| s.number()).collect(),
            _ => Vec::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_is_due_when_full_or_old() {
        let start = Instant::now();
        let mut acks = AckBatch::new(3, Duration::from_secs(1));
        assert_eq!((acks.due(), acks.frame()), (None, None));
        acks.push(Sequence::new(1), start);
        tokio::time::advance(Duration::from_millis(400)).await;
        acks.push(Sequence::new(2), Instant::now());
        // The first one's age counts.
        assert_eq!(acks.due(), Some(start + Duration::from_secs(1)));
        acks.push(Sequence::new(3), Instant::now());
        assert!(acks.due().unwrap() <= Instant::now());
        assert_eq!(numbers(acks.frame()), [1, 2, 3]);
        // Not sent yet: a broken connection loses nothing.
        assert_eq!(numbers(acks.frame()), [1, 2, 3]);
        acks.sent();
        assert!(acks.is_empty() && acks.due().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_backlog_goes_in_frames_the_contract_allows() {
        let mut acks = AckBatch::new(25, Duration::from_secs(1));
        (0..2_500).for_each(|n| acks.push(Sequence::new(n), Instant::now()));
        let mut sizes = Vec::new();
        while !acks.is_empty() {
            sizes.push(numbers(acks.frame()).len());
            acks.sent();
        }
        assert_eq!(sizes, [1_000, 1_000, 500]);
    }
}
