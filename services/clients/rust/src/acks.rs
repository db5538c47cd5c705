//! Batches of acknowledgements.

use std::time::Duration;

use contract_frames_v1::ClientFrame;
use contract_notifications_v1::Sequence;
use tokio::time::Instant;

/// Most sequences in one frame. The contract allows more, but at 42 bytes each they would exceed the 32 KiB
/// that API Gateway accepts in a frame
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>).
const MAX_PER_FRAME: usize = 700;

/// Collects acknowledgements. A batch is due when it is full or when its first acknowledgement is old enough.
#[derive(Debug)]
pub(super) struct AckBatch {
    sequences: Vec<Sequence>,
    since: Option<Instant>,
    size: usize,
    delay: Duration,
}

impl AckBatch {
    /// Returns an empty batch that is due at `size` sequences, or `delay` after its first.
    pub(super) fn new(size: usize, delay: Duration) -> Self {
        Self { sequences: Vec::new(), since: None, size: size.clamp(1, MAX_PER_FRAME), delay }
    }

    /// Adds a sequence.
    pub(super) fn push(&mut self, sequence: Sequence, now: Instant) {
        self.sequences.push(sequence);
        self.since.get_or_insert(now);
    }

    /// Returns true if no acknowledgement is waiting.
    #[cfg(test)]
    const fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    /// Returns the time at which the batch is due, `None` while it is empty.
    pub(super) fn due(&self) -> Option<Instant> {
        let since = self.since?;
        Some(if self.sequences.len() >= self.size { since } else { since + self.delay })
    }

    /// Returns the next frame to send, due or not.
    ///
    /// Its sequences stay in the batch until [`AckBatch::sent`], so a frame that was lost with its connection
    /// is sent again on the next one.
    pub(super) fn frame(&self) -> Option<ClientFrame> {
        let sequences = self.sequences.iter().take(MAX_PER_FRAME).copied().collect::<Vec<_>>();
        (!sequences.is_empty()).then_some(ClientFrame::Ack { sequences })
    }

    /// Removes the sequences of the last [`AckBatch::frame`].
    pub(super) fn sent(&mut self) {
        self.sequences.drain(..self.sequences.len().min(MAX_PER_FRAME));
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
    async fn batch_is_due_when_full_or_old() {
        let start = Instant::now();
        let mut acks = AckBatch::new(3, Duration::from_secs(1));
        assert_eq!((acks.due(), acks.frame()), (None, None));
        acks.push(Sequence::new(1), start);
        tokio::time::advance(Duration::from_millis(400)).await;
        acks.push(Sequence::new(2), Instant::now());
        // The age of the first sequence counts.
        assert_eq!(acks.due(), Some(start + Duration::from_secs(1)));
        acks.push(Sequence::new(3), Instant::now());
        assert!(acks.due().unwrap() <= Instant::now());
        assert_eq!(numbers(acks.frame()), [1, 2, 3]);
        // Sequences stay until they are sent, so a broken connection loses none.
        assert_eq!(numbers(acks.frame()), [1, 2, 3]);
        acks.sent();
        assert!(acks.is_empty() && acks.due().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn backlog_is_split_into_frames_of_32_kib() {
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
        assert_eq!(sizes, [700, 700, 700, 400]);
    }
}
