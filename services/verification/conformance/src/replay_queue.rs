//! The notifications queue, as the dispatcher fills it with replay entries.

use contract_notifications_v1::{Replay, Sequence, UserId};
use dispatcher::ports::ReplayQueue;

use crate::fixture::Deliveries;
use crate::user;

/// All that the queue must do with the dispatcher's replay entries.
pub async fn all<Q: ReplayQueue, D: Deliveries>(queue: &Q, deliveries: &mut D, prefix: &str) {
    let [one, other] = ["one", "other"].map(|name| user(&format!("{prefix}-replay-{name}")));
    let replay = |user: &UserId, n: u128| Replay { user_id: user.clone(), sequence: Sequence::new(n) };
    queue.enqueue(replay(&one, 5)).await.unwrap();
    queue.enqueue(replay(&other, 7)).await.unwrap();
    assert_eq!(deliveries.take(&one).await.last(), Some(&Sequence::new(5)));
    // Nothing suppresses an entry because the same was there before.
    queue.enqueue(replay(&one, 5)).await.unwrap();
    assert_eq!(deliveries.take(&one).await.last(), Some(&Sequence::new(5)));
    assert_eq!(deliveries.take(&other).await.last(), Some(&Sequence::new(7)));
}
