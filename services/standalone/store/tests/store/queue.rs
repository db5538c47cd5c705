//! The queue: order, one lease for each user, visibility.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contract_notifications_v1::{Replay, Sequence};
use dispatcher::core::run::{Entry, Outcome};
use dispatcher::ports::{Mailbox as _, MailboxRow, ReplayQueue as _};
use tidings_store::{StorageSettings, Store};
use verification_conformance::{ManualClock, user};

use crate::support::{accept, complete, mailbox, payloads, settings, store, submissions};

#[tokio::test]
async fn users_take_turns_in_order() {
    let (_dir, store, _) = store();
    let (a, b) = (user("a"), user("b"));
    accept(&store, &a, 0..300).await;
    accept(&store, &b, 0..2).await;
    let first = store.receive().await;
    assert_eq!((first.user(), payloads(&first)), (&a, (0..256).collect()));
    // The user's other entries wait for the lease; other users' entries do not.
    let second = store.receive().await;
    assert_eq!((second.user(), payloads(&second)), (&b, vec![0, 1]));
    assert!(store.try_receive().is_none());
    accept(&store, &a, 300..301).await;
    assert!(store.try_receive().is_none());
    complete(&store, first, Outcome::Done);
    let third = store.receive().await;
    assert_eq!((third.user(), payloads(&third)), (&a, (256..301).collect()));
    complete(&store, third, Outcome::Done);
    complete(&store, second, Outcome::Done);
    assert!(store.try_receive().is_none());
}

#[tokio::test]
async fn user_with_entries_is_always_ready_or_in_flight() {
    const ENTRIES: u64 = 5_000;
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::default());
    // All but one are only on disk.
    let settings = StorageSettings { run_entries: 1, hot_entries: 1, ..settings() };
    let store = Store::open(dir.path(), settings, clock).unwrap();
    accept(&store, &user("a"), 0..ENTRIES).await;
    let last = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for lease in 1..=ENTRIES {
                let run = store.try_receive().unwrap();
                last.store(lease == ENTRIES, Ordering::SeqCst);
                complete(&store, run, Outcome::Done);
            }
        });
        while !last.load(Ordering::SeqCst) {
            let stats = store.stats();
            assert!(
                stats.ready_users + stats.leases_in_flight > 0 || last.load(Ordering::SeqCst),
                "{stats:?}"
            );
        }
    });
}

#[tokio::test]
async fn lease_is_limited_in_bytes() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::default());
    let settings = StorageSettings { run_bytes: 1_000, ..settings() };
    let store = Store::open(dir.path(), settings, clock).unwrap();
    accept(&store, &user("a"), 0..10).await;
    let run = store.receive().await;
    assert!((1..10).contains(&run.entries().len()), "{run:?}");
}

#[tokio::test]
async fn failed_entry_stays_first_with_growing_timeout() {
    let (_dir, store, clock) = store();
    let a = user("a");
    accept(&store, &a, 0..3).await;
    let run = store.receive().await;
    store.complete(run, &[Outcome::Done, Outcome::Retry, Outcome::Retry]);
    accept(&store, &a, 3..4).await;
    for seconds in [1, 2, 4, 8] {
        assert!(store.try_receive().is_none());
        clock.advance(Duration::from_millis(seconds * 1_000 - 1));
        assert!(store.try_receive().is_none(), "visible before {seconds} s");
        clock.advance(Duration::from_millis(1));
        let run = store.try_receive().unwrap();
        assert_eq!(payloads(&run), [1, 2, 3]);
        let redelivered: Vec<_> = run.entries().iter().map(redelivered).collect();
        assert_eq!(redelivered, [true, true, seconds > 1]);
        complete(&store, run, Outcome::Retry);
    }
}

fn redelivered<B>(entry: &Entry<B>) -> bool {
    matches!(entry, Entry::Notification { redelivered: true, .. })
}

#[tokio::test]
async fn waiting_receiver_wakes_by_time_and_new_entries() {
    let (_dir, store, clock) = store();
    let receiver = tokio::spawn({
        let store = store.clone();
        async move { payloads(&store.receive().await) }
    });
    tokio::task::yield_now().await;
    accept(&store, &user("a"), [1]).await;
    // The receiver drops the lease: its entries come back.
    assert_eq!(receiver.await.unwrap(), [1]);
    assert!(store.try_receive().is_none());
    let receiver = tokio::spawn({
        let store = store.clone();
        async move { payloads(&store.receive().await) }
    });
    tokio::task::yield_now().await;
    clock.advance(Duration::from_secs(1));
    assert_eq!(receiver.await.unwrap(), [1]);
}

#[tokio::test]
async fn panicking_lease_comes_back() {
    let (_dir, store, clock) = store();
    accept(&store, &user("a"), [1, 2]).await;
    let run = store.receive().await;
    let task = tokio::spawn(async move {
        assert!(run.entries().is_empty(), "as intended");
    });
    assert!(task.await.is_err());
    clock.advance(Duration::from_secs(1));
    assert_eq!(payloads(&store.receive().await), [1, 2]);
}

#[tokio::test]
async fn only_put_entries_stay_after_completion() {
    let (_dir, store, _) = store();
    let a = user("a");
    accept(&store, &a, 0..4).await;
    let mut run = store.receive().await;
    assert_eq!(mailbox(&store, &a).await, [0_u64; 0], "queued, not held");
    let rows = rows(run.take_entries());
    store.put(&a, rows[1..3].to_vec()).await.unwrap();
    assert_eq!(mailbox(&store, &a).await, [1, 2]);
    store.complete(run, &[Outcome::Done; 4]);
    assert_eq!(mailbox(&store, &a).await, [1, 2]);
    store.flush().await.unwrap();
    assert_eq!(mailbox(&store, &a).await, [1, 2]);
}

pub(crate) fn rows(
    entries: Vec<Entry<std::sync::Arc<contract_notifications_v1::Notification>>>,
) -> Vec<MailboxRow> {
    let row = |entry| match entry {
        Entry::Notification { item, .. } => {
            Some(MailboxRow { sequence: item.sequence, notification: item.body, pushed_to: [].into() })
        }
        Entry::Replay(_) => None,
    };
    entries.into_iter().filter_map(row).collect()
}

#[tokio::test]
async fn acknowledgement_during_a_lease_is_final() {
    let (_dir, store, clock) = store();
    let a = user("a");
    accept(&store, &a, 0..3).await;
    let mut run = store.receive().await;
    let rows = rows(run.take_entries());
    let sequences: Vec<_> = rows.iter().map(|row| row.sequence).collect();
    store.put(&a, rows).await.unwrap();
    ws_edge::ports::Mailbox::acknowledge(&store, &a, &sequences[..2]).await.unwrap();
    assert_eq!(mailbox(&store, &a).await, [2]);
    store.complete(run, &[Outcome::Retry; 3]);
    clock.advance(Duration::from_secs(1));
    assert_eq!(payloads(&store.receive().await), [2]);
}

#[tokio::test]
async fn queued_entry_can_not_be_acknowledged() {
    let (_dir, store, _) = store();
    let a = user("a");
    let accepted = accept(&store, &a, 0..3).await;
    let sequences: Vec<_> = accepted.iter().map(|accepted| accepted.sequence).collect();
    ws_edge::ports::Mailbox::acknowledge(&store, &a, &sequences).await.unwrap();
    assert_eq!(payloads(&store.receive().await), [0, 1, 2]);
}

#[tokio::test]
async fn replay_entries_coalesce_and_come_first() {
    let (_dir, store, clock) = store();
    let a = user("a");
    let replay = |n| Replay { user_id: a.clone(), sequence: Sequence::new(n) };
    accept(&store, &a, [1]).await;
    for n in [5, 9, 7] {
        store.enqueue(replay(n)).await.unwrap();
    }
    let run = store.receive().await;
    assert_eq!(run.entries().len(), 2);
    assert_eq!(run.entries()[0], Entry::Replay(Sequence::new(9)));
    // A replay entry that comes meanwhile is kept, and so is a failed one.
    store.enqueue(replay(11)).await.unwrap();
    store.complete(run, &[Outcome::Retry; 2]);
    clock.advance(Duration::from_secs(1));
    let run = store.receive().await;
    assert_eq!(run.entries()[0], Entry::Replay(Sequence::new(11)));
    store.complete(run, &[Outcome::Done, Outcome::Done]);
    assert!(store.try_receive().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sequence_is_the_order_of_delivery() {
    let (_dir, store, _) = store();
    let producers: Vec<_> = (0..8_u64)
        .map(|producer| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut accepted = Vec::new();
                for n in 0..50 {
                    let name = user(&format!("user-{}", n % 3));
                    let batch = submissions(&name, (0..5).map(|i| producer * 1_000 + n * 5 + i));
                    let sequences = store.accept(batch).await.unwrap();
                    accepted.extend(sequences.into_iter().map(|accepted| accepted.sequence));
                }
                assert!(accepted.is_sorted());
                accepted
            })
        })
        .collect();
    let mut delivered = std::collections::HashMap::<_, Vec<Sequence>>::new();
    let mut count = 0;
    while count < 8 * 50 * 5 {
        let run = store.receive().await;
        for entry in run.entries() {
            let Entry::Notification { item, .. } = entry else { panic!("{entry:?}") };
            delivered.entry(run.user().clone()).or_default().push(item.sequence);
            count += 1;
        }
        complete(&store, run, Outcome::Done);
    }
    let mut accepted = Vec::new();
    for producer in producers {
        accepted.extend(producer.await.unwrap());
    }
    assert!(delivered.values().all(|sequences| sequences.is_sorted()));
    let mut all: Vec<_> = delivered.into_values().flatten().collect();
    all.sort_unstable();
    accepted.sort_unstable();
    assert_eq!(all, accepted);
    assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
}

#[tokio::test]
async fn long_backlog_stays_on_disk_in_order() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::default());
    let settings = StorageSettings { hot_entries: 100, ..settings() };
    let store = Store::open(dir.path(), settings, clock).unwrap();
    let a = user("a");
    for first in (0..10_000).step_by(500) {
        accept(&store, &a, first..first + 500).await;
    }
    let one = store.stats().queued_bytes / 100;
    let mut expected = 0;
    while let Some(run) = store.try_receive() {
        for n in payloads(&run) {
            assert_eq!(n, expected);
            expected += 1;
            if expected == 5_000 {
                accept(&store, &a, 10_000..10_010).await;
            }
        }
        assert!(store.stats().queued_bytes <= 300 * one, "{:?}", store.stats());
        complete(&store, run, Outcome::Done);
    }
    assert_eq!(expected, 10_010);
    store.flush().await.unwrap();
    assert_eq!(store.stats().queued_bytes, 0);
    assert_eq!(store.stats().users_in_memory, 0);
}

#[tokio::test]
async fn memory_of_all_users_is_bounded() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::default());
    let settings = StorageSettings { hot_bytes: 10_000, ..settings() };
    let store = Store::open(dir.path(), settings, clock).unwrap();
    let users: Vec<_> = (0..100).map(|n| user(&format!("user-{n}"))).collect();
    for name in &users {
        accept(&store, name, 0..20).await;
    }
    assert!(store.stats().queued_bytes < 11_000, "{:?}", store.stats());
    let mut seen = std::collections::HashMap::<_, Vec<u64>>::new();
    while let Some(run) = store.try_receive() {
        seen.entry(run.user().clone()).or_default().extend(payloads(&run));
        complete(&store, run, Outcome::Done);
    }
    for name in &users {
        assert_eq!(seen[name], (0..20).collect::<Vec<_>>());
    }
}
