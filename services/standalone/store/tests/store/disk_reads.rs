//! A slow disk: who has to read from it waits, and nobody else.

use std::time::Duration;

use contract_notifications_v1::Sequence;
use dispatcher::core::run::Outcome;
use dispatcher::ports::{Mailbox as _, PageQuery};
use replayer::ports::MailboxKeys as _;
use tidings_store::{LastKey, StorageSettings, Store};
use verification_conformance::{ManualClock, connection, user};

use crate::support::{TestStore, accept, payloads, settings};

const SLOW: Duration = Duration::from_millis(300);

fn everything() -> PageQuery {
    PageQuery { after: None, up_to: Sequence::MAX, due_for: vec![connection("c")], limit: 10 }
}

/// A store on one runtime thread with a mailbox that was never read, of `cold`, and one in memory, of `warm`.
async fn store(directory: &std::path::Path) -> TestStore {
    let open = || {
        let settings = StorageSettings { hot_entries: 1, ..settings() };
        Store::open(directory, settings, ManualClock::default()).unwrap()
    };
    let store = open();
    accept(&store, &user("cold"), 0..3).await;
    drop(store);
    let store = open();
    store.page(&user("warm"), everything()).await.unwrap();
    let marked = verification_conformance::mailbox::rows(&user("warm"), [7]);
    store.put(&user("warm"), marked).await.unwrap();
    store
}

#[tokio::test]
async fn read_of_a_cold_mailbox_holds_up_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    store.delay_reads(SLOW);
    let reading = |work: fn(TestStore) -> futures_util::future::BoxFuture<'static, usize>| {
        tokio::spawn(work(store.clone()))
    };
    let page = reading(|store| {
        Box::pin(async move { store.page(&user("cold"), everything()).await.unwrap().rows.len() })
    });
    let keys = reading(|store| {
        Box::pin(async move { LastKey(store).keys(&user("cold"), None, 1).await.unwrap().sequences.len() })
    });
    let acknowledging = reading(|store| {
        Box::pin(async move {
            let unknown = [Sequence::new(1)];
            ws_edge::ports::Mailbox::acknowledge(&store, &user("other"), &unknown).await.unwrap();
            0
        })
    });
    tokio::task::yield_now().await;
    // On the runtime's only thread, these could not even begin before the reads are over.
    accept(&store, &user("hot"), [1]).await;
    let lease = store.receive().await;
    assert_eq!((lease.user(), payloads(&lease)), (&user("hot"), vec![1]));
    store.complete(lease, &[Outcome::Done]);
    assert!(!page.is_finished() && !keys.is_finished() && !acknowledging.is_finished());
    assert_eq!((page.await.unwrap(), keys.await.unwrap(), acknowledging.await.unwrap()), (3, 1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_first_slow_read_holds_up_a_thread() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    store.delay_reads(SLOW);
    let read = || {
        let store = store.clone();
        tokio::spawn(async move { store.page(&user("cold"), everything()).await.unwrap().rows.len() })
    };
    assert_eq!(read().await.unwrap(), 3);
    // The runtime has two threads. On them, nothing else could run before two of these are over.
    let cold: Vec<_> = (0..4)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.page(&user(&format!("cold-{n}")), everything()).await.unwrap() })
        })
        .collect();
    tokio::task::yield_now().await;
    tokio::spawn({
        let store = store.clone();
        async move {
            accept(&store, &user("hot"), [1]).await;
            let lease = store.receive().await;
            assert_eq!((lease.user(), payloads(&lease)), (&user("hot"), vec![1]));
            store.complete(lease, &[Outcome::Done]);
        }
    })
    .await
    .unwrap();
    assert!(cold.iter().all(|read| !read.is_finished()));
}

#[tokio::test]
async fn refill_of_a_queue_holds_up_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    // The second is behind the one that memory may hold.
    accept(&store, &user("long"), 0..2).await;
    let lease = store.receive().await;
    assert_eq!(payloads(&lease), [0]);
    store.complete(lease, &[Outcome::Done]);
    store.delay_reads(SLOW);
    let refilled = tokio::spawn({
        let store = store.clone();
        async move { store.receive().await }
    });
    tokio::task::yield_now().await;
    accept(&store, &user("hot"), [1]).await;
    let lease = refilled.await.unwrap();
    assert_eq!(payloads(&lease), [1], "the user in memory comes first");
    assert_eq!(lease.user(), &user("hot"));
    store.complete(lease, &[Outcome::Done]);
    let lease = store.receive().await;
    assert_eq!((lease.user(), payloads(&lease)), (&user("long"), vec![1]));
}
