//! Small stores for tests.

use contract_notifications_v1::UserId;
use tempfile::TempDir;
use tidings_store::{StorageSettings, Store, Submission};
use verification_conformance::{ManualClock, notification};

pub(crate) type TestStore = Store<ManualClock>;

/// Settings for small stores.
pub(crate) fn settings() -> StorageSettings {
    const MIB: u64 = 1024 * 1024;
    StorageSettings { memtable_bytes: 8 * MIB, cache_bytes: 8 * MIB, reserve_bytes: 0, ..Default::default() }
}

/// Opens a store that expects every notification to be delivered at once.
pub(crate) fn store() -> (TempDir, TestStore, ManualClock) {
    let (directory, clock) = (tempfile::tempdir().unwrap(), ManualClock::default());
    let store = Store::open(directory.path(), settings(), clock.clone()).unwrap();
    store.expect_delivery(|_| true);
    (directory, store, clock)
}

/// Notifications `numbers` for `user`, without deduplication.
pub(crate) fn submissions(user: &UserId, numbers: impl IntoIterator<Item = u64>) -> Vec<Submission> {
    let submission = |n| Submission { notification: notification(user, n), deduplicate: false };
    numbers.into_iter().map(submission).collect()
}
