//! Suite of the mailbox for the edge, which clears acknowledged rows.

use ws_edge::ports::Mailbox;

use crate::fixture::MailboxRows;
use crate::rows::{sequences, user};

/// Runs the suite.
pub async fn all<M: Mailbox, F: MailboxRows>(mailbox: &M, fixture: &F, prefix: &str) {
    let [one, other] = ["one", "other"].map(|name| user(&format!("{prefix}-acks-{name}")));
    let numbers: Vec<u64> = (1..=130).collect();
    fixture.hold(&one, &numbers).await;
    fixture.hold(&other, &[1, 2]).await;
    mailbox.acknowledge(&one, &sequences([1, 2, 777])).await.unwrap();
    mailbox.acknowledge(&one, &sequences([1])).await.unwrap();
    assert_eq!(fixture.held(&one).await, sequences(3..=130));
    // More rows than one request to a table may have.
    mailbox.acknowledge(&one, &sequences(3..=100)).await.unwrap();
    assert_eq!(fixture.held(&one).await, sequences(101..=130));
    assert_eq!(fixture.held(&other).await, sequences([1, 2]));
}
