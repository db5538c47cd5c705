//! Callers that go away while the store works for them.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Waker};

use contract_notifications_v1::UserId;
use tidings_store::{StorageSettings, Store};
use verification_conformance::ManualClock;

use crate::support::{settings, submissions};

fn is_pending(future: Pin<&mut impl Future>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

#[tokio::test]
async fn memory_of_a_caller_that_is_gone_stays_taken() {
    let directory = tempfile::tempdir().unwrap();
    let settings = StorageSettings { waiting_bytes: 4 * 1024, ..settings() };
    let (store, mut steps) = Store::open_stepped(directory.path(), settings, ManualClock::default()).unwrap();
    let user = UserId::new("jo").unwrap();
    // Each takes one KiB of the four.
    for number in 0..4 {
        let accepting = store.accept(submissions(&user, [number]));
        assert!(is_pending(pin!(accepting)), "the committer has not run");
    }
    let mut fifth = pin!(store.accept(submissions(&user, [4])));
    assert!(is_pending(fifth.as_mut()));
    steps.step();
    assert_eq!(store.stats().queued, 4, "the fifth had no room beside the four");
    assert!(is_pending(fifth.as_mut()), "it has room now");
    steps.step();
    assert_eq!(fifth.await.unwrap().len(), 1);
}
