//! Pending records by themselves and in a store.

use std::pin::pin;

use contract_notifications_v1::{Sequence, UserId};
use dispatcher::core::run::{Entry, Outcome};
use dispatcher::ports::{Mailbox as _, MailboxRow, PageQuery};
use futures_util::FutureExt as _;
use proptest::prelude::*;
use verification_conformance::{ManualClock, connection, notification, user};

use super::super::settings::StorageSettings;
use super::super::{Lease, NotificationState as Seen, Store, Submission};
use super::*;

proptest! {
    #[test]
    fn pending_record_round_trips(
        rows in prop::collection::vec(("[!-~]{3,128}", any::<u64>(), any::<Vec<u8>>()), 1..20),
    ) {
        let mut record = PendingRecord::default();
        for (index, (user, seq, value)) in (0..).zip(&rows) {
            prop_assert_eq!(record.push(&UserId::new(user.as_str()).unwrap(), *seq, value), Some(index));
        }
        let pending_records = read(7, &record.bytes).unwrap();
        let locations: Vec<_> = pending_records.iter().map(|pending| (pending.location.commit, pending.location.index)).collect();
        prop_assert_eq!(locations, (0..).take(rows.len()).map(|index| (7, index)).collect::<Vec<_>>());
        let read = pending_records.into_iter().map(|row| (row.user.as_str().to_owned(), row.seq, row.value.to_vec()));
        prop_assert_eq!(read.collect::<Vec<_>>(), rows);
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        _ = read(1, &bytes);
        _ = read(1, &[&[FORMAT], bytes.as_slice()].concat());
    }

    #[test]
    fn completed_set_matches_a_model(
        changes in prop::collection::vec((0..200_u32, any::<bool>()), 0..100),
    ) {
        let (mut completed, mut model) = (Completed::default(), std::collections::BTreeSet::new());
        for (index, is_completed) in changes {
            if is_completed {
                prop_assert_eq!(completed.insert(index), model.insert(index));
            } else {
                prop_assert_eq!(completed.remove(index), model.remove(&index));
            }
        }
        let found: Vec<_> = (0..300).filter(|index| completed.contains(*index)).collect();
        prop_assert_eq!(found, model.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn full_record_takes_no_more() {
    let mut record = PendingRecord::default();
    let user = user("a");
    assert_eq!(record.push(&user, 1, &vec![0; MOST_BYTES]), Some(0));
    assert_eq!(record.push(&user, 2, b"x"), None);
}

type TestStore = Store<ManualClock>;

/// Opens a store that expects to deliver at once to the users `there`.
fn open(directory: &std::path::Path, there: &'static [&'static str]) -> TestStore {
    let settings = StorageSettings { reserve_bytes: 0, hot_bytes: 40_000, ..StorageSettings::default() };
    let store = Store::open(directory, settings, ManualClock::default()).unwrap();
    store.expect_delivery(move |user| there.contains(&user.as_str()));
    store
}

async fn accept(store: &TestStore, users: &[(&str, std::ops::Range<u64>)]) {
    let submission = |(name, numbers): &(&str, std::ops::Range<u64>)| {
        let user = user(name);
        let one = move |n| Submission { notification: notification(&user, n), deduplicate: false };
        numbers.clone().map(one)
    };
    store.accept(users.iter().flat_map(submission).collect()).await.unwrap();
}

fn records(store: &TestStore) -> usize {
    commits(&store.core().engine.get().unwrap()).unwrap().len()
}

fn rows(store: &TestStore, name: &str) -> usize {
    store.core().engine.get().unwrap().scan(&user(name), 0, Seq::MAX).count()
}

fn complete(store: &TestStore, lease: Lease<ManualClock>, outcome: Outcome) {
    let outcomes = vec![outcome; lease.entries().len()];
    store.complete(lease, &outcomes);
}

async fn held(store: &TestStore, name: &str) -> Vec<u64> {
    let due_for = vec![connection("nobody")];
    let query = PageQuery { after: None, up_to: Sequence::MAX, due_for, limit: 100_000 };
    let page = store.page(&user(name), query).await.unwrap();
    page.rows.iter().map(|row| row.notification.payload.get().parse().unwrap()).collect()
}

/// The rows that the dispatcher puts into the mailbox of a disconnected user.
fn rows_to_hold(lease: &Lease<ManualClock>) -> Vec<MailboxRow> {
    let row = |entry: &Entry<_>| match entry {
        Entry::Notification { item, .. } => MailboxRow {
            sequence: item.sequence,
            notification: std::sync::Arc::clone(&item.body),
            pushed_to: dispatcher::core::ConnectionSet::new(),
        },
        Entry::Replay(_) => panic!("a replay"),
    };
    lease.entries().iter().map(row).collect()
}

#[tokio::test]
async fn pending_record_stays_until_all_is_completed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), &["a", "b"]);
    accept(&store, &[("a", 0..3), ("b", 0..2), ("c", 0..2)]).await;
    assert_eq!((records(&store), rows(&store, "a"), rows(&store, "b"), rows(&store, "c")), (1, 0, 0, 2));
    let (a, b) = (store.receive().await, store.receive().await);
    complete(&store, a, Outcome::Done);
    store.flush().await.unwrap();
    assert_eq!(records(&store), 1);
    // A crash now repeats the notifications that are not completed, and no others.
    drop((b, store));
    let store = open(dir.path(), &["a", "b"]);
    assert_eq!((records(&store), rows(&store, "a"), rows(&store, "b")), (0, 0, 2));
    assert_eq!((held(&store, "b").await, held(&store, "c").await), (vec![0, 1], vec![0, 1]));
}

#[tokio::test]
async fn completed_record_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), &["a", "b"]);
    accept(&store, &[("a", 0..3), ("b", 0..2)]).await;
    let (a, b) = (store.receive().await, store.receive().await);
    complete(&store, a, Outcome::Done);
    store.flush().await.unwrap();
    complete(&store, b, Outcome::Done);
    store.flush().await.unwrap();
    let engine = store.core().engine.get().unwrap();
    assert_eq!((records(&store), engine.count(Keyspace::Rows).unwrap()), (0, 0));
}

#[tokio::test]
async fn held_pending_notification_gets_one_row() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), &["a"]);
    accept(&store, &[("a", 0..2)]).await;
    let lease = store.receive().await;
    store.put(lease.user(), rows_to_hold(&lease)).await.unwrap();
    assert_eq!((records(&store), rows(&store, "a")), (0, 2));
    complete(&store, lease, Outcome::Done);
    assert_eq!(held(&store, "a").await, [0, 1]);
    drop(store);
    assert_eq!(held(&open(dir.path(), &["a"]), "a").await, [0, 1]);
}

#[tokio::test]
async fn abandoned_row_is_deleted_on_completion() {
    let dir = tempfile::tempdir().unwrap();
    let settings = StorageSettings { reserve_bytes: 0, ..StorageSettings::default() };
    let (store, mut steps) = Store::open_stepped(dir.path(), settings, ManualClock::default()).unwrap();
    store.expect_delivery(|_| true);
    let mut accepting = pin!(accept(&store, &[("a", 0..2)]));
    assert!(accepting.as_mut().now_or_never().is_none());
    steps.step();
    accepting.await;
    let lease = store.receive().await;
    // The disk stalls. The run is abandoned, and the next one finds a connection.
    assert!(store.put(lease.user(), rows_to_hold(&lease)).now_or_never().is_none());
    complete(&store, lease, Outcome::Done);
    let mut flush = pin!(store.flush());
    assert!(flush.as_mut().now_or_never().is_none());
    steps.step();
    steps.step();
    flush.await.unwrap();
    assert_eq!((records(&store), rows(&store, "a")), (0, 0));
}

#[tokio::test]
async fn stuck_user_keeps_no_records_of_others() {
    const COMMITS: u64 = 50;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), &["stuck", "quick"]);
    let mut stuck = None;
    for n in 0..COMMITS {
        accept(&store, &[("stuck", n..n + 1), ("quick", 0..40)]).await;
        while let Some(lease) = store.try_receive() {
            if lease.user().as_str() == "quick" {
                complete(&store, lease, Outcome::Done);
            } else {
                stuck = Some(lease);
            }
        }
    }
    store.flush().await.unwrap();
    // A record has more than 1,500 bytes.
    assert!((1..40_000 / 1_500).contains(&records(&store)), "{}", records(&store));
    assert_eq!((records(&store) + rows(&store, "stuck"), rows(&store, "quick")), (50, 0));
    // It is queued, and not held.
    assert_eq!(held(&store, "stuck").await, [0_u64; 0]);
    let found = store.find(&user("stuck"), &notification(&user("stuck"), 3).id).unwrap().found.unwrap();
    assert_eq!(found.state, Seen::Queued { receives: 0 });
    // Its deliveries are in order, and then nothing is left.
    let mut got = Vec::new();
    let mut next = stuck;
    while let Some(lease) = next.take().or_else(|| store.try_receive()) {
        for entry in lease.entries() {
            let Entry::Notification { item, .. } = entry else { panic!("{entry:?}") };
            got.push(item.body.payload.get().parse::<u64>().unwrap());
        }
        complete(&store, lease, Outcome::Done);
    }
    assert_eq!(got, (0..COMMITS).collect::<Vec<_>>());
    assert_eq!(held(&store, "stuck").await, [0_u64; 0]);
    store.flush().await.unwrap();
    assert_eq!((records(&store), rows(&store, "stuck")), (0, 0));
}

#[tokio::test]
async fn repeated_failure_leaves_only_a_dead_letter() {
    let dir = tempfile::tempdir().unwrap();
    let settings = StorageSettings { reserve_bytes: 0, max_receive_count: 1, ..StorageSettings::default() };
    let store = Store::open(dir.path(), settings, ManualClock::default()).unwrap();
    store.expect_delivery(|_| true);
    accept(&store, &[("a", 0..1)]).await;
    let lease = store.receive().await;
    complete(&store, lease, Outcome::Retry);
    assert_eq!(store.dead_letters(None, 10).await.unwrap().letters.len(), 1);
    assert_eq!((records(&store), rows(&store, "a")), (0, 0));
}
