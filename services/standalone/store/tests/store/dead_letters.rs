//! Dead letters: how they arise, and what operators can do with them.

use std::time::Duration;

use dispatcher::core::run::Outcome;
use tidings_store::{StorageSettings, Store};
use verification_conformance::{ManualClock, user};

use crate::support::{TestStore, accept, complete, number, open, payloads, settings};

async fn store_with_dead_letters() -> (tempfile::TempDir, TestStore, ManualClock) {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::default());
    let settings = StorageSettings { max_receive_count: 3, ..settings() };
    let store = Store::open(dir.path(), settings, clock.clone()).unwrap();
    accept(&store, &user("a"), 0..3).await;
    for _ in 0..4 {
        complete(&store, store.try_receive().unwrap(), Outcome::Retry);
        clock.advance(Duration::from_mins(5));
    }
    (dir, store, clock)
}

#[tokio::test]
async fn repeated_failure_blocks_no_later_entry() {
    let (dir, store, clock) = store_with_dead_letters().await;
    let run = store.receive().await;
    assert_eq!(payloads(&run), [2]);
    let page = store.dead_letters(None, 10).await.unwrap();
    assert_eq!(store.stats().dead_letters, 2);
    let found: Vec<_> =
        page.letters.iter().map(|letter| number(letter.notification.as_ref().unwrap())).collect();
    assert_eq!((found, page.more), (vec![0, 1], false));
    assert_eq!(page.letters[0].reason, "received 3 times");
    assert_eq!(page.letters[0].user_id, user("a"));
    let first = store.dead_letters(None, 1).await.unwrap();
    assert!(first.more);
    let rest = store.dead_letters(Some(first.letters[0].id), 1).await.unwrap();
    assert_eq!((&rest.letters[0], rest.more), (&page.letters[1], false));
    assert_eq!(store.dead_letter(page.letters[1].id).await.unwrap().as_ref(), Some(&page.letters[1]));
    complete(&store, run, Outcome::Retry);
    drop(store);
    let store = open(dir.path(), &clock);
    // With the third, which failed too often meanwhile.
    let all = store.dead_letters(None, 10).await.unwrap();
    assert_eq!(all.letters[..2], page.letters);
    assert_eq!((store.stats().dead_letters, all.letters.len()), (3, 3));
}

#[tokio::test]
async fn redriven_dead_letter_gets_a_new_sequence() {
    let (_dir, store, _clock) = store_with_dead_letters().await;
    complete(&store, store.receive().await, Outcome::Done);
    let ids: Vec<_> =
        store.dead_letters(None, 10).await.unwrap().letters.iter().map(|letter| letter.id).collect();
    let redriven = store.redrive(&[ids[1], ids[1]]).await.unwrap();
    assert_eq!((redriven.accepted.len(), redriven.skipped), (1, vec![ids[1]]));
    let (from, accepted) = redriven.accepted[0];
    assert!(from == ids[1] && accepted.sequence > ids[1] && !accepted.duplicate);
    assert_eq!(payloads(&store.receive().await), [1]);
    assert_eq!(store.redrive(&[ids[1]]).await.unwrap().skipped, [ids[1]]);
    assert_eq!(store.stats().dead_letters, 1);
}

#[tokio::test]
async fn purged_dead_letters_are_gone() {
    let (_dir, store, _clock) = store_with_dead_letters().await;
    let ids: Vec<_> =
        store.dead_letters(None, 10).await.unwrap().letters.iter().map(|letter| letter.id).collect();
    assert_eq!(store.purge(&[ids[0], ids[0]]).await.unwrap(), 1);
    assert_eq!(store.purge(&ids).await.unwrap(), 1);
    assert_eq!(store.dead_letter(ids[0]).await.unwrap(), None);
    assert_eq!(store.stats().dead_letters, 0);
}
