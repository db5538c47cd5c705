//! Small stores for tests.

use contract_notifications_v1::UserId;
use tidings_store::{StorageSettings, Submission};
use verification_conformance::notification;

/// Settings for small stores.
pub(crate) fn settings() -> StorageSettings {
    const MIB: u64 = 1024 * 1024;
    StorageSettings { memtable_bytes: 8 * MIB, cache_bytes: 8 * MIB, reserve_bytes: 0, ..Default::default() }
}

/// Notifications `numbers` for `user`, without deduplication.
pub(crate) fn submissions(user: &UserId, numbers: impl IntoIterator<Item = u64>) -> Vec<Submission> {
    let submission = |n| Submission { notification: notification(user, n), deduplicate: false };
    numbers.into_iter().map(submission).collect()
}
