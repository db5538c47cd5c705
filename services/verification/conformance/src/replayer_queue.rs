//! Suite of the notifications queue for the replayer, which queues replays in batches.

use contract_notifications_v1::{QueueEntry, Replay, Sequence, UserId};
use replayer::ports::{ReplayEntry, ReplayQueue};
use uuid::Uuid;

use crate::fixture::Deliveries;
use crate::rows::{sequences, user};

/// Runs the suite. A queue may leave out an entry if that of a later row is delivered, which covers all rows
/// before.
pub async fn all<Q: ReplayQueue, D: Deliveries>(queue: &Q, deliveries: &mut D, prefix: &str) {
    let [one, other] = ["one", "other"].map(|name| user(&format!("{prefix}-replayer-{name}")));
    assert_eq!(queue.send(&[entry(&other, 7)]).await.unwrap(), Vec::<usize>::new());
    let batch: Vec<_> = (1..=10).map(|n| entry(&one, n)).collect();
    assert_eq!(queue.send(&batch).await.unwrap(), Vec::<usize>::new());
    let taken = deliveries.take(&one).await;
    assert_eq!(taken.last(), Some(&Sequence::new(10)));
    assert!(taken.is_sorted() && taken.iter().all(|s| sequences(1..=10).contains(s)), "{taken:?}");
    // The replay of the same rows for the next connection is not suppressed as a duplicate.
    let again: Vec<_> = (9..=10).map(|n| entry(&one, n)).collect();
    assert_eq!(queue.send(&again).await.unwrap(), Vec::<usize>::new());
    assert_eq!(deliveries.take(&one).await.last(), Some(&Sequence::new(10)));
    assert_eq!(deliveries.take(&other).await.last(), Some(&Sequence::new(7)));
}

fn entry(user: &UserId, n: u128) -> ReplayEntry {
    let replay = Replay { user_id: user.clone(), sequence: Sequence::new(n) };
    let body = QueueEntry::Replay(replay.clone()).to_json();
    ReplayEntry { replay, body, deduplication_id: Uuid::new_v4() }
}
