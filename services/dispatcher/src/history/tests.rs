//! Histories of single runs whose events are written out.

use std::time::Duration;

use contract_connections_v1::{ConnectionId, FrameFormat};

use super::*;
use crate::core::ConnectionSet;
use crate::core::run::{Limits, OpenConnection, PushReport, Refusal, Run};

const NOW: Timestamp = Timestamp::from_millis(1_000_000);
const ACCEPTED: PushReport = PushReport { accepted: 1, refusal: None };

fn connection(id: &str, acknowledges: bool) -> OpenConnection {
    let connected_at = Timestamp::from_millis(0);
    OpenConnection { id: ConnectionId::new(id), connected_at, acknowledges, format: FrameFormat::Single }
}

fn item(n: u128) -> Item<()> {
    let sequence = Sequence::new(n);
    Item { sequence, expires_at: None, when_offline: WhenOffline::Hold, len: 5, body: () }
}

/// Drives a run with `events`, then with `Done`, and returns the recorded history.
fn recorded(entries: Vec<Entry<()>>, events: Vec<Event<()>>) -> Vec<(u128, HistoryOutcome)> {
    let mut observer = Observer::new(&entries);
    let (mut run, mut command) = Run::start(Limits::default(), entries);
    let mut events = events.into_iter();
    while !matches!(command, Command::Finish(_)) {
        observer.on_command(&command);
        let event = events.next().unwrap_or(match command {
            Command::ListConnections => Event::Listed(Vec::new()),
            _ => Event::Done,
        });
        observer.on_event(&event, NOW);
        command = run.on(event, NOW);
    }
    let Command::Finish(report) = command else { unreachable!("the loop ends with Finish") };
    let history = observer.finish(&report, NOW);
    assert!(history.iter().all(|event| event.at == NOW));
    history.iter().map(|event| (event.sequence.number(), event.what)).collect()
}

fn new(item: Item<()>) -> Entry<()> {
    Entry::Notification { item, redelivered: false }
}

fn no_rows() -> Event<()> {
    Event::Page { rows: Vec::new(), more: false }
}

#[test]
fn push_to_two_devices_is_one_delivery() {
    let listed = Event::Listed(vec![connection("a", false), connection("b", false)]);
    let events = vec![listed, no_rows(), Event::Pushed(vec![ACCEPTED, ACCEPTED])];
    assert_eq!(recorded(vec![new(item(1))], events), [(1, HistoryOutcome::Delivered)]);
}

#[test]
fn offline_user_has_held_expired_and_dropped() {
    let late = Item { expires_at: Some(NOW), ..item(2) };
    let never_held = Item { when_offline: WhenOffline::Drop, ..item(3) };
    let entries = vec![new(item(1)), new(late), new(never_held)];
    let expected = [(1, HistoryOutcome::Held), (2, HistoryOutcome::Expired), (3, HistoryOutcome::Dropped)];
    assert_eq!(recorded(entries, vec![Event::Listed(Vec::new())]), expected);
}

/// The row is written ahead for a connection that turns out to be closed.
#[test]
fn row_written_ahead_and_not_taken_is_held() {
    let gone = Event::Pushed(vec![PushReport { accepted: 0, refusal: Some(Refusal::Gone) }]);
    let events = vec![Event::Listed(vec![connection("a", true)]), no_rows(), Event::Done, gone];
    assert_eq!(recorded(vec![new(item(1))], events), [(1, HistoryOutcome::Held)]);
}

#[test]
fn held_notification_past_its_expiry_expires() {
    let late = HeldItem { item: Item { expires_at: Some(NOW), ..item(1) }, pushed_to: ConnectionSet::new() };
    let there = HeldItem { item: item(2), pushed_to: ConnectionSet::new() };
    let page = Event::Page { rows: vec![late, there], more: false };
    let events = vec![Event::Listed(vec![connection("a", false)]), page, Event::Pushed(vec![ACCEPTED])];
    let entries = vec![Entry::Replay(Sequence::new(2))];
    assert_eq!(recorded(entries, events), [(2, HistoryOutcome::Delivered), (1, HistoryOutcome::Expired)]);
}

#[test]
fn entries_to_be_retried_are_not_recorded() {
    assert_eq!(recorded(vec![new(item(1))], vec![Event::Failed]), []);
    let events = vec![Event::Listed(Vec::new()), Event::Failed];
    assert_eq!(recorded(vec![new(item(1))], events), []);
    let unavailable = PushReport { accepted: 1, refusal: Some(Refusal::Unavailable) };
    let listed = Event::Listed(vec![connection("a", false)]);
    let events = vec![listed, no_rows(), Event::Pushed(vec![unavailable]), Event::OutOfTime];
    let entries = vec![new(item(1)), new(item(2))];
    assert_eq!(recorded(entries, events), [(1, HistoryOutcome::Delivered)]);
}

#[test]
fn deferred_notification_is_held() {
    let limits = Limits::default();
    let rows: Vec<_> =
        (1..=26).map(|n| HeldItem { item: item(n), pushed_to: ConnectionSet::new() }).collect();
    assert!(rows.len() > limits.inline_drain);
    let never_held = Item { when_offline: WhenOffline::Drop, ..item(100) };
    let page = Event::Page { rows, more: true };
    let events = vec![Event::Listed(vec![connection("a", false)]), page];
    assert_eq!(recorded(vec![new(never_held)], events), [(100, HistoryOutcome::Held)]);
    assert_eq!(limits.drop_hold, Duration::from_secs(30));
}
