//! Durability across restarts.

use std::time::Duration;

use dispatcher::core::run::Outcome;
use dispatcher::ports::Mailbox as _;
use tidings_store::{Durability, OpenError, StorageSettings, Store, Submission};
use verification_conformance::{ManualClock, connection, notification, user};

use crate::queue::rows;
use crate::support::{accept, complete, mailbox, open, payloads, settings, store};

#[tokio::test]
async fn restart_keeps_undelivered_in_order() {
    let (dir, store, clock) = store();
    let (a, b) = (user("a"), user("b"));
    accept(&store, &a, 0..10).await;
    let mut run = store.receive().await;
    let held = rows(run.take_entries());
    store.put(&a, held[4..6].to_vec()).await.unwrap();
    // 0 to 3 are delivered, 4 and 5 held, the others retried.
    let outcomes = (0..10).map(|n| if n < 6 { Outcome::Done } else { Outcome::Retry }).collect::<Vec<_>>();
    store.complete(run, &outcomes);
    accept(&store, &b, 0..3).await;
    accept(&store, &a, 10..12).await;
    drop(store);
    let store = open(dir.path(), &clock);
    assert!(store.try_receive().is_none());
    assert_eq!(mailbox(&store, &a).await, (4..12).collect::<Vec<_>>());
    assert_eq!(mailbox(&store, &b).await, [0, 1, 2]);
    // New notifications are queued behind the held ones.
    accept(&store, &a, 12..13).await;
    assert_eq!(mailbox(&store, &a).await, (4..12).collect::<Vec<_>>());
    assert_eq!(payloads(&store.receive().await), [12]);
}

#[tokio::test]
async fn sequence_is_never_assigned_twice() {
    let (dir, store, clock) = store();
    let a = user("a");
    let mut last = accept(&store, &a, 0..5).await[4].sequence;
    let run = store.receive().await;
    complete(&store, run, Outcome::Done);
    drop(store);
    for _ in 0..3 {
        let store = open(dir.path(), &clock);
        let next = accept(&store, &a, [9]).await[0].sequence;
        assert!(next > last);
        last = next;
        store.close();
    }
}

#[tokio::test]
async fn imported_rows_raise_the_next_sequence() {
    let (_dir, store, _) = store();
    let a = user("a");
    let row = |n: u64| dispatcher::ports::MailboxRow {
        sequence: contract_notifications_v1::Sequence::new(n.into()),
        notification: std::sync::Arc::new(notification(&a, n)),
        pushed_to: [connection("x")].into(),
    };
    store.put(&a, vec![row(1_000)]).await.unwrap();
    assert!(accept(&store, &a, [1]).await[0].sequence.number() > 1_000);
    assert!(!store.put(&a, vec![row(u64::MAX)]).await.unwrap_err().is_retryable());
}

#[tokio::test]
async fn id_is_deduplicated_across_restarts() {
    let (dir, store, clock) = store();
    let (a, b) = (user("a"), user("b"));
    let submission = |user, n| Submission { notification: notification(user, n), deduplicate: true };
    let first = store.accept(vec![submission(&a, 1), submission(&a, 1), submission(&b, 1)]).await.unwrap();
    assert_eq!(first.iter().map(|accepted| accepted.duplicate).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(first[0].sequence, first[1].sequence);
    clock.advance(Duration::from_secs(299));
    let again = store.accept(vec![submission(&a, 1), submission(&a, 2)]).await.unwrap();
    assert_eq!((again[0].sequence, again[0].duplicate), (first[0].sequence, true));
    assert!(!again[1].duplicate);
    // Notifications whose ids the server made are not deduplicated.
    let other = Submission { deduplicate: false, ..submission(&a, 1) };
    assert!(!store.accept(vec![other]).await.unwrap()[0].duplicate);
    drop(store);
    let store = open(dir.path(), &clock);
    assert!(store.accept(vec![submission(&a, 1)]).await.unwrap()[0].duplicate);
    clock.advance(Duration::from_secs(1));
    let late = store.accept(vec![submission(&a, 1), submission(&a, 2)]).await.unwrap();
    assert!(!late[0].duplicate && late[1].duplicate, "{late:?}");
    drop(store);
    clock.advance(Duration::from_secs(298));
    let store = open(dir.path(), &clock);
    assert!(store.accept(vec![submission(&a, 1)]).await.unwrap()[0].duplicate);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_repeats_of_an_id_are_accepted_once() {
    let (_dir, store, _) = store();
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let store = store.clone();
            let batch = vec![Submission { notification: notification(&user("a"), 7), deduplicate: true }];
            tokio::spawn(async move { store.accept(batch).await.unwrap()[0] })
        })
        .collect();
    let mut fresh = 0;
    for task in tasks {
        fresh += usize::from(!task.await.unwrap().duplicate);
    }
    assert_eq!(fresh, 1);
    assert_eq!(payloads(&store.receive().await), [7]);
}

#[tokio::test]
async fn deduplication_keeps_at_most_its_limit() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::default());
    let settings = StorageSettings { dedup_entries: 10, ..settings() };
    let store = Store::open(dir.path(), settings, clock).unwrap();
    let a = user("a");
    let submission = |n| Submission { notification: notification(&a, n), deduplicate: true };
    for n in 0..12 {
        store.accept(vec![submission(n)]).await.unwrap();
    }
    assert!(store.accept(vec![submission(11)]).await.unwrap()[0].duplicate);
    assert!(!store.accept(vec![submission(0)]).await.unwrap()[0].duplicate);
}

#[tokio::test]
async fn drop_notification_does_not_survive_restart() {
    let (dir, store, clock) = store();
    let a = user("a");
    let mut batch = crate::support::submissions(&a, 0..4);
    batch[1].notification.when_offline = contract_notifications_v1::WhenOffline::Drop;
    store.accept(batch).await.unwrap();
    drop(store);
    let store = open(dir.path(), &clock);
    assert_eq!(mailbox(&store, &a).await, [0, 2, 3]);
    assert_eq!(mailbox(&store, &a).await, [0, 2, 3]);
}

#[tokio::test]
async fn unreadable_row_becomes_a_dead_letter() {
    let (dir, store, clock) = store();
    let a = user("a");
    let accepted = accept(&store, &a, 0..3).await;
    drop(store);
    // Now each has a row.
    drop(open(dir.path(), &clock));
    {
        let database = fjall::Database::builder(dir.path().join("engine")).open().unwrap();
        let rows = database.keyspace("notifications", fjall::KeyspaceCreateOptions::default).unwrap();
        let key = rows.prefix("a\0").nth(1).unwrap().key().unwrap();
        rows.insert(key, b"\xff\x00nonsense").unwrap();
    }
    let store = open(dir.path(), &clock);
    assert_eq!(mailbox(&store, &a).await, [0, 2]);
    let page = store.dead_letters(None, 10).await.unwrap();
    let [letter] = page.letters.as_slice() else { panic!("{page:?}") };
    assert_eq!((letter.id, &letter.user_id, &letter.notification), (accepted[1].sequence, &a, &None));
    assert_eq!(letter.reason, "the stored value has format 255, which is unknown");
    assert_eq!(&letter.body[..], b"\xff\x00nonsense");
    assert_eq!(store.redrive(&[letter.id]).await.unwrap().skipped, [letter.id]);
    assert_eq!(mailbox(&store, &a).await, [0, 2]);
}

#[tokio::test]
async fn tables_are_durable_and_separate() {
    let (dir, store, clock) = store();
    let (users, keys) = (store.table("users"), store.table("user"));
    users.put(b"a", b"1").await.unwrap();
    users.put(b"b", b"2").await.unwrap();
    keys.put(b"sa", b"3").await.unwrap();
    users.delete(b"b").await.unwrap();
    drop((users, keys, store));
    let store = open(dir.path(), &clock);
    assert_eq!(store.table("users").list().unwrap(), [(b"a".to_vec(), b"1".to_vec())]);
    assert_eq!(store.table("user").get(b"sa").unwrap(), Some(b"3".to_vec()));
    assert_eq!(store.table("user").get(b"a").unwrap(), None);
}

#[tokio::test]
async fn second_open_is_refused_with_the_directory() {
    let (dir, _store, clock) = store();
    let error = Store::open(dir.path(), settings(), clock).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(&dir.path().display().to_string()), "{error}");
}

#[tokio::test]
async fn buffered_notifications_survive_the_process() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::default());
    let buffered = StorageSettings { durability: Durability::Buffered, ..settings() };
    let store = Store::open(dir.path(), buffered, clock.clone()).unwrap();
    accept(&store, &user("a"), 0..5).await;
    drop(store);
    assert_eq!(mailbox(&open(dir.path(), &clock), &user("a")).await, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn closed_store_accepts_nothing() {
    let (_dir, store, _) = store();
    store.close();
    let error = store.accept(crate::support::submissions(&user("a"), [1])).await.unwrap_err();
    assert_eq!(error, tidings_store::AcceptError::ShuttingDown);
    assert!(!store.is_ready());
}
