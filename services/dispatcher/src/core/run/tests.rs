//! Single runs whose events are written out.

use std::time::Duration;

use contract_connections_v1::{ConnectionId, FrameFormat};
use contract_notifications_v1::{Sequence, Timestamp, WhenOffline};

use super::{Command, Entry, Event, HeldItem, Item, Limits, OpenConnection, PushReport, Refusal, Run};
use crate::core::ConnectionSet;

const LIMITS: Limits = Limits {
    inline_drain: 3,
    replay_drain: 6,
    page: 2,
    grace: Duration::from_secs(5),
    batch_bytes: 25,
    drop_hold: Duration::from_secs(30),
};

fn connection(id: &str, acknowledges: bool) -> OpenConnection {
    let connected_at = Timestamp::from_millis(0);
    OpenConnection { id: ConnectionId::new(id), connected_at, acknowledges, format: FrameFormat::Single }
}

fn item() -> Item<()> {
    let sequence = Sequence::new(1);
    Item { sequence, expires_at: None, when_offline: WhenOffline::Hold, len: 5, body: () }
}

const ACCEPTED: PushReport = PushReport { accepted: 1, refusal: None };

/// R3: a handshake and its grace period may end while a push to another connection is in progress. Found by
/// services/verification/model.
#[test]
fn grace_is_judged_by_the_time_of_the_push() {
    let early = Timestamp::from_millis(1);
    let late = early.plus(LIMITS.grace);
    let handshaking = connection("handshaking", false);
    let (mut run, _) = Run::start(LIMITS, vec![Entry::Notification { item: item(), redelivered: false }]);
    run.on(Event::Listed(vec![connection("slow", false), handshaking.clone()]), early);
    run.on(Event::Page { rows: Vec::new(), more: false }, early);
    let gone = PushReport { accepted: 0, refusal: Some(Refusal::Gone) };
    assert_eq!(run.on(Event::Pushed(vec![ACCEPTED, gone]), late), Command::Wait { attempt: 0 });
    assert!(matches!(run.on(Event::Waited, late), Command::Push(requests) if requests.len() == 1));
    assert_eq!(run.on(Event::Pushed(vec![gone]), late), Command::Forget(vec![handshaking]));
}

/// A run that crashed may have written the row ahead for an acknowledging client that has since disconnected.
#[test]
fn redelivered_row_is_deleted_after_its_push() {
    let now = Timestamp::from_millis(1);
    let (mut run, _) = Run::start(LIMITS, vec![Entry::Notification { item: item(), redelivered: true }]);
    run.on(Event::Listed(vec![connection("c", false)]), now);
    run.on(Event::Page { rows: Vec::new(), more: false }, now);
    assert_eq!(run.on(Event::Pushed(vec![ACCEPTED]), now), Command::Delete(vec![Sequence::new(1)]));
}

/// R6.
#[test]
fn connections_are_listed_again_after_marking() {
    let now = Timestamp::from_millis(1);
    let (mut run, _) = Run::start(LIMITS, vec![Entry::Replay(Sequence::new(1))]);
    run.on(Event::Listed(vec![connection("c", true)]), now);
    run.on(
        Event::Page { rows: vec![HeldItem { item: item(), pushed_to: ConnectionSet::new() }], more: false },
        now,
    );
    let marks = vec![(Sequence::new(1), ConnectionSet::from([ConnectionId::new("c")]))];
    assert_eq!(run.on(Event::Pushed(vec![ACCEPTED]), now), Command::Mark(marks));
    assert_eq!(run.on(Event::Done, now), Command::ListConnections);
}

/// A failed run may have deferred the notification. It was not written ahead, so an ack may never come.
#[test]
fn deferred_drop_notification_is_deleted_after_push() {
    let now = Timestamp::from_millis(1);
    let item = Item { when_offline: WhenOffline::Drop, ..item() };
    let entry = Entry::Notification { item: item.clone(), redelivered: true };
    let (mut run, _) = Run::start(LIMITS, vec![entry]);
    run.on(Event::Listed(vec![connection("c", true)]), now);
    let deferred = HeldItem { item, pushed_to: ConnectionSet::new() };
    run.on(Event::Page { rows: vec![deferred], more: false }, now);
    assert_eq!(run.on(Event::Pushed(vec![ACCEPTED]), now), Command::Delete(vec![Sequence::new(1)]));
}
