//! Single runs whose events are written out.

use std::time::Duration;

use contract_connections_v1::{ConnectionId, FrameFormat};
use contract_notifications_v1::{Sequence, Timestamp, WhenOffline};

use super::{
    Command, Entry, Event, HeldItem, Item, Limits, OpenConnection, Outcome, PushReport, Refusal, Run,
    SetAside,
};
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

/// A replay of many large rows may take longer than its invocation. What was delivered stays delivered.
#[test]
fn rest_of_a_replay_is_requeued_when_time_runs_out() {
    let now = Timestamp::from_millis(1);
    let (mut run, _) = Run::start(LIMITS, vec![Entry::<()>::Replay(Sequence::new(9))]);
    run.on(Event::Listed(vec![connection("c", false)]), now);
    let rows = vec![HeldItem { item: item(), pushed_to: ConnectionSet::new() }];
    assert!(matches!(run.on(Event::Page { rows, more: true }, now), Command::Push(_)));
    assert!(matches!(run.on(Event::Pushed(vec![ACCEPTED]), now), Command::Delete(_)));
    assert!(matches!(run.on(Event::Done, now), Command::ReadPage { after: Some(_), .. }));
    assert_eq!(run.on(Event::OutOfTime, now), Command::EnqueueReplay(Sequence::new(9)));
    let Command::Finish(report) = run.on(Event::Done, now) else { panic!("not finished") };
    assert_eq!(report.outcomes, [Outcome::Done]);
}

#[test]
fn first_page_out_of_time_is_redelivered() {
    let now = Timestamp::from_millis(1);
    let (mut run, _) = Run::start(LIMITS, vec![Entry::<()>::Replay(Sequence::new(9))]);
    run.on(Event::Listed(vec![connection("c", false)]), now);
    let Command::Finish(report) = run.on(Event::OutOfTime, now) else { panic!("not finished") };
    assert_eq!(report.outcomes, [Outcome::Retry]);
}

#[test]
fn run_set_aside_holds_and_schedules_a_replay() {
    let now = Timestamp::from_millis(1);
    let (run, _) = Run::start(LIMITS, vec![Entry::Notification { item: item(), redelivered: true }]);
    let mut run = run.set_aside(SetAside::All);
    let held = HeldItem { item: item(), pushed_to: ConnectionSet::new() };
    assert_eq!(run.on(Event::Listed(vec![connection("c", true)]), now), Command::Put(vec![held]));
    assert_eq!(run.on(Event::Done, now), Command::ScheduleReplay);
    let Command::Finish(report) = run.on(Event::Done, now) else { panic!("not finished") };
    assert_eq!((report.outcomes, report.stats.deferred), (vec![Outcome::Done], 1));
}

/// Nobody is there: the notification is held, as ever, and the next connection gets it.
#[test]
fn run_set_aside_without_connections_schedules_nothing() {
    let now = Timestamp::from_millis(1);
    let (run, _) = Run::start(LIMITS, vec![Entry::Notification { item: item(), redelivered: true }]);
    let mut run = run.set_aside(SetAside::All);
    assert!(matches!(run.on(Event::Listed(Vec::new()), now), Command::Put(_)));
    assert_eq!(run.on(Event::Done, now), Command::ListConnections);
    assert!(matches!(run.on(Event::Listed(Vec::new()), now), Command::Finish(_)));
}

/// A client that reads slowly takes a few frames in each run.
#[test]
fn rows_taken_before_time_ran_out_are_not_repeated() {
    let now = Timestamp::from_millis(1);
    let rows: Vec<_> = (1..=2)
        .map(|n| HeldItem {
            item: Item { sequence: Sequence::new(n), ..item() },
            pushed_to: ConnectionSet::new(),
        })
        .collect();
    let throttled = |accepted| vec![PushReport { accepted, refusal: Some(Refusal::Unavailable) }];
    for (accepted, last) in [(1, Outcome::Done), (0, Outcome::Retry)] {
        let (mut run, _) = Run::start(LIMITS, vec![Entry::Replay(Sequence::new(2))]);
        run.on(Event::Listed(vec![connection("c", false)]), now);
        run.on(Event::Page { rows: rows.clone(), more: false }, now);
        assert!(matches!(run.on(Event::Pushed(throttled(accepted)), now), Command::Wait { .. }));
        let mut command = run.on(Event::OutOfTime, now);
        if accepted > 0 {
            assert_eq!(command, Command::Delete(vec![Sequence::new(1)]));
            assert_eq!(run.on(Event::Done, now), Command::EnqueueReplay(Sequence::new(2)));
            command = run.on(Event::Done, now);
        }
        let Command::Finish(report) = command else { panic!("{command:?}") };
        assert_eq!(report.outcomes, [last]);
    }
}

/// A client that does not read: what comes behind the held rows does not stay in the queue.
#[test]
fn notification_behind_rows_that_fail_is_set_aside() {
    let now = Timestamp::from_millis(1);
    let held = HeldItem { item: item(), pushed_to: ConnectionSet::new() };
    let new = Item { sequence: Sequence::new(2), ..item() };
    for refusal in [Refusal::Unavailable, Refusal::Gone] {
        let entry = Entry::Notification { item: new.clone(), redelivered: false };
        let (run, _) = Run::start(LIMITS, vec![entry]);
        let mut run = run.set_aside(SetAside::Blocked);
        run.on(Event::Listed(vec![connection("c", true)]), now);
        let pushed = run.on(Event::Page { rows: vec![held.clone()], more: false }, now);
        assert!(matches!(pushed, Command::Push(requests) if requests[0].frames[0].items[0].replayed));
        let refused = PushReport { accepted: 0, refusal: Some(refusal) };
        assert!(matches!(run.on(Event::Pushed(vec![refused]), now), Command::Wait { .. }));
        let command = run.on(Event::OutOfTime, now);
        if refusal == Refusal::Unavailable {
            let put = HeldItem { item: new.clone(), pushed_to: ConnectionSet::new() };
            assert_eq!(command, Command::Put(vec![put]));
            assert_eq!(run.on(Event::Done, now), Command::ScheduleReplay);
        } else {
            // The connection is about to open.
            assert!(matches!(command, Command::Finish(report) if report.outcomes == [Outcome::Retry]));
        }
    }
}
