//! Real runs in a small world, watched; and the cases that matter one by one.

use std::collections::BTreeSet;
use std::time::Duration;

use contract_connections_v1::{ConnectionId, FrameFormat};
use proptest::prelude::*;

use super::*;
use crate::core::run::tests::{Choices, World};
use crate::core::run::{Limits, Live, PushReport, Refusal, Run};

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn the_history_is_what_happened(script in prop::collection::vec(any::<u16>(), 0..400)) {
        let mut world = World::new();
        let mut choices = Choices(script.into());
        while !choices.0.is_empty() {
            world.act(&mut choices);
        }
        world.quiesce();

        let of = |what: HistoryOutcome| -> BTreeSet<Sequence> {
            let all = world.history.iter().flatten();
            all.filter(|happened| happened.what == what).map(|happened| happened.sequence).collect()
        };
        let (delivered, expired) = (of(HistoryOutcome::Delivered), of(HistoryOutcome::Expired));
        let (dropped, held) = (of(HistoryOutcome::Dropped), of(HistoryOutcome::Held));
        // Nothing is recorded that did not happen.
        prop_assert!(delivered.is_subset(&world.accepted));
        prop_assert!(dropped.is_subset(&world.may_be_dropped));
        // One that is not to be held may have been given a time of its own.
        prop_assert!(expired.iter().all(|s| world.may_expire.contains(s) || world.may_be_dropped.contains(s)));
        for run in &world.history {
            let keys: BTreeSet<_> = run.iter().map(|happened| (happened.sequence, happened.what)).collect();
            prop_assert_eq!(keys.len(), run.len(), "no key twice in a run");
        }
        // What a crash or a failed command did is not known; without one all that happened is recorded.
        if world.faults == 0 {
            prop_assert_eq!(&delivered, &world.accepted);
            let recorded: BTreeSet<_> = [&delivered, &expired, &dropped, &held].into_iter().flatten().copied().collect();
            prop_assert_eq!(recorded, world.produced());
            // Nothing follows an end. One that was delivered may expire before a client acknowledges it.
            let mut ended = BTreeSet::new();
            for happened in world.history.iter().flatten() {
                prop_assert!(!ended.contains(&happened.sequence), "after its end: {happened:?}");
                if matches!(happened.what, HistoryOutcome::Expired | HistoryOutcome::Dropped) {
                    ended.insert(happened.sequence);
                }
            }
        }
    }
}

const NOW: Timestamp = Timestamp::from_millis(1_000_000);
const ACCEPTED: PushReport = PushReport { accepted: 1, refusal: None };

fn live(id: &str, acknowledges: bool) -> Live {
    let connected_at = Timestamp::from_millis(0);
    Live { id: ConnectionId::new(id), connected_at, acknowledges, format: FrameFormat::Single }
}

fn item(n: u128) -> Item<()> {
    let sequence = Sequence::new(n);
    Item { sequence, expires_at: None, when_offline: WhenOffline::Hold, len: 5, body: () }
}

/// What is recorded of a run that is answered with `events`, and then with `Done`.
fn recorded(entries: Vec<Entry<()>>, events: Vec<Event<()>>) -> Vec<(u128, HistoryOutcome)> {
    let mut observer = Observer::new(&entries);
    let (mut run, mut command) = Run::start(Limits::default(), entries);
    let mut events = events.into_iter();
    while !matches!(command, Command::Finish(_)) {
        observer.ordered(&command);
        let event = events.next().unwrap_or(match command {
            Command::ListConnections => Event::Listed(Vec::new()),
            _ => Event::Done,
        });
        observer.came(&event, NOW);
        command = run.on(event, NOW);
    }
    let Command::Finish(report) = command else { unreachable!("the loop ends with it") };
    let happened = observer.finish(&report, NOW);
    assert!(happened.iter().all(|happened| happened.at == NOW));
    happened.iter().map(|happened| (happened.sequence.number(), happened.what)).collect()
}

fn new(item: Item<()>) -> Entry<()> {
    Entry::Notification { item, redelivered: false }
}

fn no_rows() -> Event<()> {
    Event::Page { rows: Vec::new(), more: false }
}

#[test]
fn two_devices_are_one_delivery() {
    let listed = Event::Listed(vec![live("a", false), live("b", false)]);
    let events = vec![listed, no_rows(), Event::Pushed(vec![ACCEPTED, ACCEPTED])];
    assert_eq!(recorded(vec![new(item(1))], events), [(1, HistoryOutcome::Delivered)]);
}

#[test]
fn nobody_there() {
    let late = Item { expires_at: Some(NOW), ..item(2) };
    let fleeting = Item { when_offline: WhenOffline::Drop, ..item(3) };
    let entries = vec![new(item(1)), new(late), new(fleeting)];
    let expected = [(1, HistoryOutcome::Held), (2, HistoryOutcome::Expired), (3, HistoryOutcome::Dropped)];
    assert_eq!(recorded(entries, vec![Event::Listed(Vec::new())]), expected);
}

/// It is written ahead as pushed to a connection that turns out to be gone.
#[test]
fn what_was_written_ahead_and_nobody_took_is_held() {
    let gone = Event::Pushed(vec![PushReport { accepted: 0, refusal: Some(Refusal::Gone) }]);
    let events = vec![Event::Listed(vec![live("a", true)]), no_rows(), Event::Done, gone];
    assert_eq!(recorded(vec![new(item(1))], events), [(1, HistoryOutcome::Held)]);
}

#[test]
fn a_held_one_that_comes_too_late_expires() {
    let late = Held { item: Item { expires_at: Some(NOW), ..item(1) }, pushed_to: BTreeSet::new() };
    let there = Held { item: item(2), pushed_to: BTreeSet::new() };
    let page = Event::Page { rows: vec![late, there], more: false };
    let events = vec![Event::Listed(vec![live("a", false)]), page, Event::Pushed(vec![ACCEPTED])];
    let entries = vec![Entry::Replay(Sequence::new(2))];
    assert_eq!(recorded(entries, events), [(2, HistoryOutcome::Delivered), (1, HistoryOutcome::Expired)]);
}

#[test]
fn what_comes_again_is_not_recorded_yet() {
    assert_eq!(recorded(vec![new(item(1))], vec![Event::Failed]), []);
    let events = vec![Event::Listed(Vec::new()), Event::Failed];
    assert_eq!(recorded(vec![new(item(1))], events), []);
    let unavailable = PushReport { accepted: 1, refusal: Some(Refusal::Unavailable) };
    let listed = Event::Listed(vec![live("a", false)]);
    let events = vec![listed, no_rows(), Event::Pushed(vec![unavailable]), Event::OutOfTime];
    let entries = vec![new(item(1)), new(item(2))];
    assert_eq!(recorded(entries, events), [(1, HistoryOutcome::Delivered)]);
}

#[test]
fn what_waits_behind_held_ones_is_held() {
    let limits = Limits::default();
    let rows: Vec<_> = (1..=26).map(|n| Held { item: item(n), pushed_to: BTreeSet::new() }).collect();
    assert!(rows.len() > limits.inline_drain);
    let fleeting = Item { when_offline: WhenOffline::Drop, ..item(100) };
    let page = Event::Page { rows, more: true };
    let events = vec![Event::Listed(vec![live("a", false)]), page];
    assert_eq!(recorded(vec![new(fleeting)], events), [(100, HistoryOutcome::Held)]);
    assert_eq!(limits.drop_hold, Duration::from_secs(30));
}
