//! Suite of the history for the dispatcher, which records deliveries.

use std::time::Duration;

use contract_history_v1::{HistoryOutcome, MessageRow};
use contract_notifications_v1::{Sequence, Timestamp, UserId};
use dispatcher::ports::History;

use crate::fixture::HistoryRows;
use crate::rows::{notification, user};

/// The row of notification `n`, recorded `n` milliseconds after `now`.
fn row(user: &UserId, now: Timestamp, n: u64, what: HistoryOutcome) -> MessageRow {
    let notification = notification(user, n);
    let at = now.plus(Duration::from_millis(n));
    let row = MessageRow::new(&notification, Sequence::new(n.into()), what, at, Duration::from_hours(1));
    if n.is_multiple_of(2) { row.with_payload(&notification) } else { row }
}

/// Runs the suite. `now` is a time at which rows with a lifetime of an hour have not expired.
pub async fn all<H: History, F: HistoryRows>(history: &H, fixture: &F, now: Timestamp, prefix: &str) {
    assert!(history.policy().is_some(), "the history must be on");
    let [one, other] = ["one", "other"].map(|name| user(&format!("{prefix}-history-{name}")));
    // More rows than one request to a table may have.
    let mut rows: Vec<_> = (1..=60).map(|n| row(&one, now, n, HistoryOutcome::Held)).collect();
    history.record(&one, rows.clone()).await;
    history.record(&other, vec![row(&other, now, 1, HistoryOutcome::Dropped)]).await;
    // Recording rows again changes nothing.
    history.record(&one, rows[..3].to_vec()).await;
    // Another event of a notification is another row, even at the same time.
    let delivered = row(&one, now, 60, HistoryOutcome::Delivered);
    history.record(&one, vec![delivered.clone()]).await;
    rows.insert(59, delivered);
    rows.reverse();
    assert_eq!(fixture.recorded(&one).await, rows);
    assert_eq!(fixture.recorded(&other).await, [row(&other, now, 1, HistoryOutcome::Dropped)]);
}
