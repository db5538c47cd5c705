//! How much goes into one request.

use contract_notifications_v1::{QueueEntry, Replay, Sequence, UserId};

/// How much is read and sent at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Keys asked for in one read. Zero counts as one.
    pub page_size: usize,
    /// Most entries of one batch. Zero counts as one.
    pub batch_entries: usize,
    /// Most bytes the bodies of one batch have together.
    pub batch_bytes: usize,
}

impl Default for Limits {
    /// A page of keys well below the 1 MiB of one DynamoDB query
    /// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html>), and what
    /// SQS allows in one batch
    /// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>).
    fn default() -> Self {
        Self { page_size: 1_000, batch_entries: 10, batch_bytes: 1024 * 1024 }
    }
}

/// How many entries of `user` go into one batch: at least one.
///
/// One number serves for all: sequences are padded, so every replay entry of a user has the same length.
pub fn batch_len(limits: &Limits, user: &UserId) -> usize {
    let entry_bytes = body(user, Sequence::ZERO).len();
    limits.batch_entries.min(limits.batch_bytes / entry_bytes.max(1)).max(1)
}

/// The body of the entry that replays one row.
pub(crate) fn body(user: &UserId, sequence: Sequence) -> String {
    QueueEntry::Replay(Replay { user_id: user.clone(), sequence }).to_json()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_batch_keeps_both_limits(
            user in "[!-~]{1,128}",
            numbers in prop::collection::vec(any::<u128>(), 20),
            batch_entries in 0_usize..20,
            batch_bytes in 0_usize..4_000,
        ) {
            let user = UserId::new(user).unwrap();
            let len = batch_len(&Limits { batch_entries, batch_bytes, ..Limits::default() }, &user);
            prop_assert!((1..=batch_entries.max(1)).contains(&len));
            let bytes: usize = numbers.iter().take(len).map(|n| body(&user, Sequence::new(*n)).len()).sum();
            prop_assert!(len == 1 || bytes <= batch_bytes, "{len} entries of {bytes} bytes");
        }
    }

    #[test]
    fn the_default_batch_has_ten_entries_whoever_the_user_is() {
        for user in ["u".to_owned(), "\"".repeat(128)] {
            assert_eq!(batch_len(&Limits::default(), &UserId::new(user).unwrap()), 10);
        }
    }
}
