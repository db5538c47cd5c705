//! Helpers of the tests.

use std::path::Path;

use contract_notifications_v1::{Sequence, UserId};
use dispatcher::core::run::{Entry, Outcome};
use dispatcher::ports::{Mailbox as _, MailboxRow, PageQuery};
use tempfile::TempDir;
use tidings_store::{Accepted, Lease, StorageSettings, Store, Submission};
use verification_conformance::{ManualClock, connection, notification};

pub(crate) type TestStore = Store<ManualClock>;

/// Settings of small stores.
pub(crate) fn settings() -> StorageSettings {
    const MIB: u64 = 1024 * 1024;
    StorageSettings { memtable_bytes: 8 * MIB, cache_bytes: 8 * MIB, reserve_bytes: 0, ..Default::default() }
}

/// Opens a store that expects to deliver everything at once.
pub(crate) fn open(directory: &Path, clock: &ManualClock) -> TestStore {
    let store = Store::open(directory, settings(), clock.clone()).unwrap();
    store.expect_delivery(|_| true);
    store
}

pub(crate) fn store() -> (TempDir, TestStore, ManualClock) {
    let (directory, clock) = (tempfile::tempdir().unwrap(), ManualClock::default());
    let store = open(directory.path(), &clock);
    (directory, store, clock)
}

/// Makes notifications `numbers` for `user`, without deduplication.
pub(crate) fn submissions(user: &UserId, numbers: impl IntoIterator<Item = u64>) -> Vec<Submission> {
    let submission = |n| Submission { notification: notification(user, n), deduplicate: false };
    numbers.into_iter().map(submission).collect()
}

/// Accepts notifications `numbers` for `user`.
pub(crate) async fn accept(
    store: &TestStore,
    user: &UserId,
    numbers: impl IntoIterator<Item = u64>,
) -> Vec<Accepted> {
    store.accept(submissions(user, numbers)).await.unwrap()
}

/// Returns the payloads of a lease's notifications, in order.
pub(crate) fn payloads(lease: &Lease<ManualClock>) -> Vec<u64> {
    let payload = |entry: &Entry<std::sync::Arc<_>>| match entry {
        Entry::Notification { item, .. } => number(&item.body),
        Entry::Replay(bound) => panic!("replay {bound}"),
    };
    lease.entries().iter().map(payload).collect()
}

pub(crate) fn number(notification: &contract_notifications_v1::Notification) -> u64 {
    notification.payload.get().parse().unwrap()
}

/// Completes a lease, all entries with the same outcome.
pub(crate) fn complete(store: &TestStore, lease: Lease<ManualClock>, outcome: Outcome) {
    let outcomes = vec![outcome; lease.entries().len()];
    store.complete(lease, &outcomes);
}

/// Returns the payloads in a mailbox.
pub(crate) async fn mailbox(store: &TestStore, user: &UserId) -> Vec<u64> {
    rows(store, user).await.iter().map(|row| number(&row.notification)).collect()
}

/// Returns the sequences of a mailbox, in order.
pub(crate) async fn sequences_of(store: &TestStore, user: &UserId) -> Vec<Sequence> {
    rows(store, user).await.iter().map(|row| row.sequence).collect()
}

async fn rows(store: &TestStore, user: &UserId) -> Vec<MailboxRow> {
    let due_for = vec![connection("nobody")];
    let query = PageQuery { after: None, up_to: Sequence::MAX, due_for, limit: 100_000 };
    store.page(user, query).await.unwrap().rows
}
