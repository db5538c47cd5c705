//! Suite of the notifications queue for the dispatcher, which queues replays.

use contract_notifications_v1::{Replay, Sequence, UserId};
use dispatcher::ports::ReplayQueue;

use crate::fixture::Deliveries;
use crate::rows::user;

/// Runs the suite.
pub async fn all<Q: ReplayQueue, D: Deliveries>(queue: &Q, deliveries: &mut D, prefix: &str) {
    let [one, other] = ["one", "other"].map(|name| user(&format!("{prefix}-replay-{name}")));
    let replay = |user: &UserId, n: u128| Replay { user_id: user.clone(), sequence: Sequence::new(n) };
    queue.enqueue(replay(&one, 5)).await.unwrap();
    queue.enqueue(replay(&other, 7)).await.unwrap();
    assert_eq!(deliveries.take(&one).await.last(), Some(&Sequence::new(5)));
    // An equal entry is not suppressed as a duplicate.
    queue.enqueue(replay(&one, 5)).await.unwrap();
    assert_eq!(deliveries.take(&one).await.last(), Some(&Sequence::new(5)));
    assert_eq!(deliveries.take(&other).await.last(), Some(&Sequence::new(7)));
}
