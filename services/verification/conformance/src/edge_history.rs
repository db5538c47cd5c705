//! Suite of the history for the edge, which records sessions and reads pages.

use std::time::Duration;

use contract_history_v1::{HistoryOutcome, MessageKey, MessageRow, PageRequest, SessionKey, SessionRow};
use contract_identity_v1::AuthenticationMethod;
use contract_notifications_v1::{Sequence, Timestamp, UserId};
use ws_edge::ports::{History, HistoryPage};

use crate::fixture::HistoryRows;
use crate::rows::{connection, notification, user};

const HOUR: Duration = Duration::from_hours(1);

/// Runs the suite. `now` is the time by which the history decides on expired rows.
pub async fn all<H: History, F: HistoryRows>(history: &H, fixture: &F, now: Timestamp, prefix: &str) {
    assert!(history.lifetime().is_some(), "the history must be on");
    sessions_begin_and_end(history, &user(&format!("{prefix}-edge-sessions")), now).await;
    sessions_are_paged(history, &user(&format!("{prefix}-edge-pages")), now).await;
    messages_are_paged(history, fixture, prefix, now).await;
    expired_rows_are_not_shown(history, fixture, &user(&format!("{prefix}-edge-old")), now).await;
}

fn session(user: &UserId, opened_at: Timestamp, name: &str) -> SessionRow {
    let id = connection(&format!("{user}#{name}="));
    SessionRow::opened(user.clone(), id, opened_at, AuthenticationMethod::Jwt, HOUR)
        .from_client("2001:db8::7", Some("ä/1"))
}

fn message(user: &UserId, at: Timestamp, n: u64) -> MessageRow {
    let notification = notification(user, n);
    MessageRow::new(&notification, Sequence::new(n.into()), HistoryOutcome::Delivered, at, HOUR)
        .with_payload(&notification)
}

fn before<Key>(key: Option<Key>, limit: usize) -> PageRequest<Key> {
    PageRequest { before: key, limit }
}

async fn sessions_begin_and_end<H: History>(history: &H, user: &UserId, now: Timestamp) {
    assert_eq!(history.sessions(user, &before(None, 10)).await.unwrap(), HistoryPage::default());
    let (mut first, second) = (session(user, now, "a"), session(user, now, "b"));
    history.session_opened(&first).await.unwrap();
    history.session_opened(&second).await.unwrap();
    let end = now.plus(Duration::from_millis(1_234));
    history.session_closed(user, now, &first.connection_id, end).await.unwrap();
    // The end of an unknown session has no effect.
    history.session_closed(user, now, &connection("stranger"), end).await.unwrap();
    history.session_closed(user, end, &first.connection_id, end).await.unwrap();
    first.close(end);
    assert_eq!(first.duration_ms, Some(1_234));
    let page = history.sessions(user, &before(None, 10)).await.unwrap();
    assert_eq!(page, HistoryPage { rows: vec![second, first], more: false });
}

async fn sessions_are_paged<H: History>(history: &H, user: &UserId, now: Timestamp) {
    let rows: Vec<_> =
        (0..7).map(|n| session(user, now.plus(Duration::from_millis(n / 2)), &n.to_string())).collect();
    for row in &rows {
        history.session_opened(row).await.unwrap();
    }
    let (mut seen, mut cursor, mut sizes) = (Vec::new(), None::<SessionKey>, Vec::new());
    loop {
        let page = history.sessions(user, &before(cursor, 3)).await.unwrap();
        sizes.push(page.rows.len());
        cursor = page.rows.last().map(|row| row.entry.clone());
        seen.extend(page.rows);
        if !page.more {
            break;
        }
    }
    assert_eq!(sizes, [3, 3, 1]);
    assert!(seen.iter().eq(rows.iter().rev()), "{seen:?}");
    // A full last page says that it is the last.
    let last = history.sessions(user, &before(Some(rows[3].entry.clone()), 3)).await.unwrap();
    assert_eq!((last.rows.len(), last.more), (3, false));
    // A cursor that is not a row works too.
    let between = SessionKey::new(now.plus(Duration::from_millis(1)), connection(""));
    let page = history.sessions(user, &before(Some(between), 100)).await.unwrap();
    assert_eq!(page.rows.len(), 2);
}

async fn messages_are_paged<H: History, F: HistoryRows>(
    history: &H,
    fixture: &F,
    prefix: &str,
    now: Timestamp,
) {
    let [one, other] = ["messages", "messages-2"].map(|name| user(&format!("{prefix}-edge-{name}")));
    let of = |user: &UserId| -> Vec<_> {
        (0..5).map(|n| message(user, now.plus(Duration::from_millis(n)), n)).collect()
    };
    let rows = of(&one);
    fixture.record(&one, &rows).await;
    fixture.record(&other, &of(&other)).await;
    history.session_opened(&session(&one, now, "c")).await.unwrap();
    let page = history.messages(&one, &before(None, 2)).await.unwrap();
    assert_eq!(page, HistoryPage { rows: vec![rows[4].clone(), rows[3].clone()], more: true });
    let page = history.messages(&one, &before(Some(rows[3].entry), 100)).await.unwrap();
    assert_eq!(
        page,
        HistoryPage { rows: vec![rows[2].clone(), rows[1].clone(), rows[0].clone()], more: false }
    );
    let first = MessageKey::new(now, Sequence::ZERO, HistoryOutcome::Delivered);
    assert_eq!(history.messages(&one, &before(Some(first), 9)).await.unwrap(), HistoryPage::default());
}

async fn expired_rows_are_not_shown<H: History, F: HistoryRows>(
    history: &H,
    fixture: &F,
    user: &UserId,
    now: Timestamp,
) {
    let mut rows: Vec<_> = (0..4).map(|n| message(user, now.plus(Duration::from_millis(n)), n)).collect();
    for old in &mut rows[..2] {
        old.ttl = now.millis() / 1000 - 1;
    }
    fixture.record(user, &rows).await;
    let page = history.messages(user, &before(None, 3)).await.unwrap();
    assert_eq!(page, HistoryPage { rows: vec![rows[3].clone(), rows[2].clone()], more: false });
}
