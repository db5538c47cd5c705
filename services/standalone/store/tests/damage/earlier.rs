//! A store made by an earlier version, in `before-pending-records`: three notifications for alice and one for
//! bob, both of whose processes were killed. It is opened, checked and repaired as any other.

use std::path::Path;

use contract_notifications_v1::UserId;
use tempfile::TempDir;
use tidings_store::{Store, Submission, check, repair};
use verification_conformance::{ManualClock, notification, user};

use super::seed::{TestStore, copy, mailbox, settings};

fn earlier_store() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/damage/before-pending-records"), dir.path());
    dir
}

fn open(dir: &TempDir) -> TestStore {
    Store::open(dir.path(), settings(), ManualClock::default()).unwrap()
}

async fn mailboxes(store: &TestStore) -> [Vec<u64>; 2] {
    [mailbox(store, "alice").await.unwrap(), mailbox(store, "bob").await.unwrap()]
}

/// Accepts another notification for bob that is to be delivered at once.
async fn accept(store: &TestStore) {
    store.expect_delivery(|user: &UserId| user.as_str() == "bob");
    let submission = Submission { notification: notification(&user("bob"), 5), deduplicate: false };
    assert_eq!(store.accept(vec![submission]).await.unwrap()[0].sequence.number(), 5);
}

#[tokio::test]
async fn earlier_version_store_opens() {
    let _alone = crate::ALONE.lock().await;
    let dir = earlier_store();
    assert_eq!(check(dir.path()).unwrap().damage, []);
    let store = open(&dir);
    assert_eq!(mailboxes(&store).await, [vec![1, 2, 3], vec![4]]);
    accept(&store).await;
    store.close();
    drop(store);
    assert_eq!(check(dir.path()).unwrap().damage, []);
    assert_eq!(mailboxes(&open(&dir)).await, [vec![1, 2, 3], vec![4, 5]]);
}

#[tokio::test]
async fn earlier_version_store_is_repaired() {
    let _alone = crate::ALONE.lock().await;
    for damaged in ["mark", "engine/keyspaces/0/current"] {
        let dir = earlier_store();
        std::fs::remove_file(dir.path().join(damaged)).unwrap();
        assert!(Store::open(dir.path(), settings(), ManualClock::default()).is_err());
        let repaired = repair(dir.path(), &settings()).unwrap();
        assert_eq!(repaired.notifications, 4, "{damaged}: {repaired:?}");
        assert_eq!(mailboxes(&open(&dir)).await, [vec![1, 2, 3], vec![4]]);
    }
}
