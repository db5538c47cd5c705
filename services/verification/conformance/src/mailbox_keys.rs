//! Suite of the mailbox for the replayer, which reads its keys.

use contract_notifications_v1::{Sequence, UserId};
use replayer::ports::MailboxKeys;

use crate::fixture::MailboxRows;
use crate::rows::{sequences, user};

/// Runs the suite.
pub async fn all<M: MailboxKeys, F: MailboxRows>(mailbox: &M, fixture: &F, prefix: &str) {
    let [one, other] = ["one", "one-2"].map(|name| user(&format!("{prefix}-keys-{name}")));
    assert!(mailbox.keys(&one, None, 10).await.unwrap().sequences.is_empty());
    let numbers: Vec<u64> = (1..=25).collect();
    fixture.hold(&one, &numbers).await;
    fixture.hold(&other, &[3]).await;
    fixture.delete(&one, &[1, 13]).await;
    for limit in [4, 23, 100] {
        assert_eq!(all_keys(mailbox, &one, limit).await, sequences((2..=12).chain(14..=25)));
    }
    assert_eq!(all_keys(mailbox, &other, 1).await, sequences([3]));
    let last = mailbox.keys(&one, Some(Sequence::new(25)), 4).await.unwrap();
    assert!(last.sequences.is_empty() && !last.more);
}

async fn all_keys<M: MailboxKeys>(mailbox: &M, user: &UserId, limit: usize) -> Vec<Sequence> {
    let mut seen = Vec::new();
    loop {
        let page = mailbox.keys(user, seen.last().copied(), limit).await.unwrap();
        assert!(!page.more || !page.sequences.is_empty());
        seen.extend(page.sequences);
        if !page.more {
            return seen;
        }
    }
}
