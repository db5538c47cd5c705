//! Delays before the redelivery of failed entries.

use std::time::Duration;

use shared_retry::RetryPolicy;

/// Delays before a failed entry is received again: 1 s, 2 s, 4 s … 5 min. The queue's own visibility timeout,
/// six times the function's timeout, would be minutes after the first failure.
pub const REDELIVERY: RetryPolicy =
    RetryPolicy { initial: Duration::from_secs(1), max: Duration::from_mins(5) };

/// Returns the delay before an entry that has failed is received again. `receive_count` is the number of
/// times it was received, 1 after the first failure.
pub fn after_failure(receive_count: u32) -> Duration {
    REDELIVERY.bound(receive_count.saturating_sub(1).min(32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visibility_grows_with_the_receive_count() {
        let seconds: Vec<_> = (1..=11).map(|count| after_failure(count).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(after_failure(0).as_secs(), 1);
        assert_eq!(after_failure(u32::MAX).as_secs(), 300);
    }
}
