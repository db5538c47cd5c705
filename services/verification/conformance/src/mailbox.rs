//! Suite of the mailbox for the dispatcher.

use std::sync::Arc;

use contract_notifications_v1::{Sequence, Timestamp, UserId};
use dispatcher::core::ConnectionSet;
use dispatcher::ports::{Mailbox, MailboxRow, Page, PageQuery};

use crate::rows::{connection, notification, sequences, user};

/// Runs the suite.
pub async fn all<M: Mailbox>(mailbox: &M, prefix: &str) {
    rows_are_read_back(mailbox, &user(&format!("{prefix}-back"))).await;
    pages_are_in_order_and_bounded(mailbox, &user(&format!("{prefix}-pages"))).await;
    put_replaces(mailbox, &user(&format!("{prefix}-replaces"))).await;
    deletes_are_visible_at_once(mailbox, &user(&format!("{prefix}-deletes"))).await;
    only_due_rows_are_paged(mailbox, &user(&format!("{prefix}-due"))).await;
    marks_need_a_row(mailbox, &user(&format!("{prefix}-marks"))).await;
    users_are_separate(mailbox, prefix).await;
}

/// Makes the row of notification `n`, pushed to `pushed_to`.
fn row(user: &UserId, n: u64, pushed_to: &[&str]) -> MailboxRow {
    MailboxRow {
        sequence: Sequence::new(n.into()),
        notification: Arc::new(notification(user, n)),
        pushed_to: pushed_to.iter().map(|id| connection(id)).collect(),
    }
}

/// Makes the rows of notifications that were pushed to no connection.
pub fn rows(user: &UserId, numbers: impl IntoIterator<Item = u64>) -> Vec<MailboxRow> {
    numbers.into_iter().map(|n| row(user, n, &[])).collect()
}

fn query(limit: usize) -> PageQuery {
    PageQuery { after: None, up_to: Sequence::MAX, due_for: vec![connection("new")], limit }
}

fn found(page: &Page) -> Vec<Sequence> {
    page.rows.iter().map(|row| row.sequence).collect()
}

async fn all_rows<M: Mailbox>(mailbox: &M, user: &UserId) -> Vec<Sequence> {
    found(&mailbox.page(user, query(1_000)).await.unwrap())
}

async fn rows_are_read_back<M: Mailbox>(mailbox: &M, user: &UserId) {
    assert_eq!(mailbox.page(user, query(10)).await.unwrap(), Page::default());
    let mut first = row(user, 1, &[]);
    let body = Arc::make_mut(&mut first.notification);
    body.expires_at = Some(Timestamp::from_millis(u64::from(u32::MAX)));
    (body.kind, body.source) = (Some("kind".into()), Some("ä\u{1F600}".into()));
    let written = vec![first, row(user, 2, &["old", "older"])];
    mailbox.put(user, written.clone()).await.unwrap();
    assert_eq!(mailbox.page(user, query(10)).await.unwrap(), Page { rows: written, more: false });
}

async fn pages_are_in_order_and_bounded<M: Mailbox>(mailbox: &M, user: &UserId) {
    // Numbers of one and of two digits: rows are in the order of numbers, not of texts.
    let mut all = rows(user, 1..=30);
    all.reverse();
    for chunk in all.chunks(7) {
        mailbox.put(user, chunk.to_vec()).await.unwrap();
    }
    let mut after = None;
    let mut seen = Vec::new();
    loop {
        let page = mailbox.page(user, PageQuery { after, ..query(7) }).await.unwrap();
        assert!(page.rows.len() <= 7 && (!page.more || !page.rows.is_empty()), "{page:?}");
        seen.extend(found(&page));
        after = seen.last().copied();
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, sequences(1..=30));
    let bounded = PageQuery { after: Some(Sequence::new(9)), up_to: Sequence::new(12), ..query(100) };
    assert_eq!(found(&mailbox.page(user, bounded).await.unwrap()), sequences(10..=12));
    let nothing = PageQuery { after: Some(Sequence::new(30)), ..query(1) };
    assert_eq!(mailbox.page(user, nothing).await.unwrap(), Page::default());
}

async fn put_replaces<M: Mailbox>(mailbox: &M, user: &UserId) {
    mailbox.put(user, rows(user, 1..=3)).await.unwrap();
    let mut changed = row(user, 2, &["old"]);
    Arc::make_mut(&mut changed.notification).expires_at = Some(Timestamp::from_millis(1 << 40));
    mailbox.put(user, vec![changed.clone()]).await.unwrap();
    let page = mailbox.page(user, query(10)).await.unwrap();
    assert_eq!(found(&page), sequences(1..=3));
    assert_eq!(page.rows[1], changed);
}

async fn deletes_are_visible_at_once<M: Mailbox>(mailbox: &M, user: &UserId) {
    mailbox.put(user, rows(user, 1..=6)).await.unwrap();
    mailbox.delete(user, &sequences([2, 3, 99])).await.unwrap();
    assert_eq!(all_rows(mailbox, user).await, sequences([1, 4, 5, 6]));
    mailbox.delete(user, &sequences([1, 2])).await.unwrap();
    mailbox.put(user, rows(user, [3])).await.unwrap();
    assert_eq!(all_rows(mailbox, user).await, sequences(3..=6));
    mailbox.delete(user, &sequences(1..=6)).await.unwrap();
    assert_eq!(mailbox.page(user, query(10)).await.unwrap(), Page::default());
}

async fn only_due_rows_are_paged<M: Mailbox>(mailbox: &M, user: &UserId) {
    let all = vec![row(user, 1, &["a"]), row(user, 2, &[]), row(user, 3, &["a", "b"]), row(user, 4, &["b"])];
    mailbox.put(user, all).await.unwrap();
    let due = async |ids: &[&str], limit| {
        let due_for = ids.iter().map(|id| connection(id)).collect();
        mailbox.page(user, PageQuery { due_for, ..query(limit) }).await.unwrap()
    };
    assert_eq!(found(&due(&["a"], 9).await), sequences([2, 4]));
    assert_eq!(found(&due(&["b"], 9).await), sequences([1, 2]));
    assert_eq!(found(&due(&["a", "b"], 9).await), sequences([1, 2, 4]));
    assert_eq!(found(&due(&["c", "a"], 9).await), sequences(1..=4));
    // Rows that are not due don't count as more.
    mailbox.mark(user, &[(Sequence::new(2), connections(&["a"]))]).await.unwrap();
    let page = due(&["a"], 1).await;
    assert_eq!((found(&page), page.more), (sequences([4]), false));
    mailbox.mark(user, &[(Sequence::new(4), connections(&["a"]))]).await.unwrap();
    assert_eq!(due(&["a"], 1).await, Page::default());
}

fn connections(ids: &[&str]) -> ConnectionSet {
    ids.iter().map(|id| connection(id)).collect()
}

async fn marks_need_a_row<M: Mailbox>(mailbox: &M, user: &UserId) {
    mailbox.put(user, rows(user, 1..=2)).await.unwrap();
    mailbox.delete(user, &sequences([2])).await.unwrap();
    let marks: Vec<_> = sequences(1..=3).into_iter().map(|s| (s, connections(&["a", "b"]))).collect();
    mailbox.mark(user, &marks).await.unwrap();
    mailbox.mark(user, &[(Sequence::new(1), connections(&["c"]))]).await.unwrap();
    let page = mailbox.page(user, query(10)).await.unwrap();
    assert_eq!(page.rows, [row(user, 1, &["a", "b", "c"])]);
}

async fn users_are_separate<M: Mailbox>(mailbox: &M, prefix: &str) {
    let [short, long] = ["apart", "apart-2"].map(|name| user(&format!("{prefix}-{name}")));
    mailbox.put(&short, rows(&short, [1, 3])).await.unwrap();
    mailbox.put(&long, rows(&long, [2, 4])).await.unwrap();
    mailbox.delete(&short, &sequences([4])).await.unwrap();
    assert_eq!(all_rows(mailbox, &short).await, sequences([1, 3]));
    assert_eq!(all_rows(mailbox, &long).await, sequences([2, 4]));
}
