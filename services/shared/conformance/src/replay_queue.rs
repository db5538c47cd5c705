//! The notifications queue, as the dispatcher and the replayer fill it with replay entries.

use std::future::Future;

use contract_notifications_v1::{QueueEntry, Replay, Sequence, UserId};
use replayer::ports::ReplayEntry;
use uuid::Uuid;

use crate::{sequences, user};

/// The receiving end of the queue under test.
pub trait Deliveries {
    /// Takes all entries that are there for `user` off the queue, and gives the rows their replay entries
    /// name, in order.
    fn take(&mut self, user: &UserId) -> impl Future<Output = Vec<Sequence>>;
}

/// All that the queue must do with replay entries. A queue may leave out an entry when one of a later row
/// is delivered, as that one stands for all rows before.
pub async fn all<Q, D>(queue: &Q, deliveries: &mut D, prefix: &str)
where
    Q: dispatcher::ports::ReplayQueue + replayer::ports::ReplayQueue,
    D: Deliveries,
{
    let [one, other] = ["one", "other"].map(|name| user(&format!("{prefix}-replay-{name}")));
    let replay = |user: &UserId, n: u128| Replay { user_id: user.clone(), sequence: Sequence::new(n) };
    queue.enqueue(replay(&one, 5)).await.unwrap();
    queue.enqueue(replay(&other, 7)).await.unwrap();
    assert_eq!(deliveries.take(&one).await.last(), Some(&Sequence::new(5)));
    // Nothing suppresses an entry because the same was there before.
    queue.enqueue(replay(&one, 5)).await.unwrap();
    assert_eq!(deliveries.take(&one).await.last(), Some(&Sequence::new(5)));

    let batch: Vec<_> = (1..=10).map(|n| entry(replay(&one, n))).collect();
    assert_eq!(queue.send(&batch).await.unwrap(), Vec::<usize>::new());
    let taken = deliveries.take(&one).await;
    assert_eq!(taken.last(), Some(&Sequence::new(10)));
    assert!(taken.is_sorted() && taken.iter().all(|s| sequences(1..=10).contains(s)), "{taken:?}");
    assert_eq!(deliveries.take(&other).await.last(), Some(&Sequence::new(7)));
}

fn entry(replay: Replay) -> ReplayEntry {
    let body = QueueEntry::Replay(replay.clone()).to_json();
    ReplayEntry { replay, body, deduplication_id: Uuid::new_v4() }
}
