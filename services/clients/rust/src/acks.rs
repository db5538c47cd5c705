//! Which sequences are to be acknowledged, and when.

use std::time::Duration;

use contract_frames_v1::ClientFrame;
use contract_notifications_v1::Sequence;
use tokio::time::Instant;

/// Most sequences in one frame. The contract allows more, but of 42 bytes each they would not fit the 32 KiB of a frame
/// that API Gateway takes
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>).
const IN_A_FRAME: usize = 750;

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
        Self { sequences: Vec::new(), since: None, size: size.clamp(1, IN_A_FRAME), delay }
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
        let sequences = self.sequences.iter().take(IN_A_FRAME).copied().collect::<Vec<_>>();
        (!sequences.is_empty()).then_some(ClientFrame::Ack { sequences })
    }

    /// Takes out what the last [`AckBatch::frame`] named.
    pub fn sent(&mut self) {
        self.sequences.drain(..self.sequences.len().min(IN_A_FRAME));
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
    async fn a_backlog_goes_in_frames_that_api_gateway_takes() {
        let mut acks = AckBatch::new(25, Duration::from_secs(1));
        (0..2_500).for_each(|n| acks.push(Sequence::new(n), Instant::now()));
        let mut sizes = Vec::new();
        while !acks.is_empty() {
            let frame = acks.frame().unwrap();
            let bytes = frame.to_json().len();
            assert!(bytes <= 32 * 1024 && ClientFrame::from_json(&frame.to_json()).is_ok(), "{bytes}");
            sizes.push(numbers(Some(frame)).len());
            acks.sent();
        }
        assert_eq!(sizes, [750, 750, 750, 250]);
    }
}
