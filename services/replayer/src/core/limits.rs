//! Sizes of reads and batches.

use contract_notifications_v1::{QueueEntry, Replay, Sequence, UserId};

/// Sizes of reads and batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Number of keys requested in one read, and so of the rows that one entry stands for. Zero counts as one.
    pub page_size: usize,
    /// Maximum number of entries of a replay, which are sent in one batch. All but the last stand for a page
    /// each. Zero counts as one.
    pub batch_entries: usize,
    /// Maximum total size of the bodies in a batch, in bytes.
    pub batch_bytes: usize,
}

impl Default for Limits {
    /// A page of keys that stays well below the 1 MiB of one DynamoDB query
    /// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html>), and the
    /// limits of an SQS batch
    /// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>).
    fn default() -> Self {
        Self { page_size: 1_000, batch_entries: 10, batch_bytes: 1024 * 1024 }
    }
}

/// Returns the number of entries of `user` in a full batch, at least one.
///
/// All replay entries of a user have the same length, because sequences are padded.
pub fn batch_len(limits: &Limits, user: &UserId) -> usize {
    let entry_bytes = body(user, Sequence::ZERO).len();
    limits.batch_entries.min(limits.batch_bytes / entry_bytes.max(1)).max(1)
}

/// Returns the body of the entry that replays the rows up to `sequence`, as JSON.
pub(crate) fn body(user: &UserId, sequence: Sequence) -> String {
    QueueEntry::Replay(Replay { user_id: user.clone(), sequence }).to_json()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn batch_keeps_both_limits(
            user in "[!-~]{3,128}",
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
    fn default_batch_has_ten_entries_for_any_user() {
        for user in ["u".to_owned(), "\"".repeat(128)] {
            assert_eq!(batch_len(&Limits::default(), &UserId::new(user).unwrap()), 10);
        }
    }
}
