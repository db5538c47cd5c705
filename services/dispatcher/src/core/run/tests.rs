//! Runs in a small world of one user, with faults: the promises hold for whatever order things happen in.

mod world;

use std::collections::BTreeSet;

use contract_connections_v1::{ConnectionId, FrameFormat};
use contract_notifications_v1::{Sequence, Timestamp, WhenOffline};
use proptest::prelude::*;

use super::{Command, Entry, Event, Held, Item, Live, PushReport, Refusal, Run};
use world::LIMITS;
pub(crate) use world::{Choices, World};

fn ascending(sequences: &[Sequence]) -> bool {
    sequences.is_sorted_by(|a, b| a < b)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn the_promises_hold(script in prop::collection::vec(any::<u16>(), 0..400)) {
        let mut world = World::new();
        let mut choices = Choices(script.into());
        while !choices.0.is_empty() {
            world.act(&mut choices);
        }
        world.quiesce();

        // (a) and (d): nothing is lost, nothing is stranded.
        let arrived: BTreeSet<_> = world.first_deliveries.iter().copied().collect();
        prop_assert!(
            world.must_arrive.is_subset(&arrived),
            "lost {:?}: {}",
            world.must_arrive.difference(&arrived).collect::<Vec<_>>(),
            world.summary()
        );
        // (b): the user sees first deliveries in order. After a fault, one that is not to be held may have
        // been let go and come back with its run's redelivery.
        let mut ordered = world.first_deliveries.clone();
        ordered.retain(|sequence| world.faults == 0 || !world.may_be_dropped.contains(sequence));
        prop_assert!(ascending(&ordered), "order: {}", world.summary());
        // (c): without a fault no connection gets anything twice, so each one's order is the user's. After
        // one, a device may get again what another device acknowledged before it came.
        for client in &world.clients {
            prop_assert!(world.faults > 0 || ascending(&client.received), "twice: {}", world.summary());
        }
        // The mailbox empties; what expired there goes by its time to live.
        let now = world.now;
        world.mailbox.retain(|_, row| row.item.expires_at.is_none_or(|at| at > now));
        for client in 0..world.clients.len() {
            world.acknowledge(client);
        }
        prop_assert!(world.mailbox.is_empty(), "left: {}", world.summary());
    }
}

fn live(id: &str, acknowledges: bool) -> Live {
    let connected_at = Timestamp::from_millis(0);
    Live { id: ConnectionId::new(id), connected_at, acknowledges, format: FrameFormat::Single }
}

fn item() -> Item<()> {
    let sequence = Sequence::new(1);
    Item { sequence, expires_at: None, when_offline: WhenOffline::Hold, len: 5, body: () }
}

const ACCEPTED: PushReport = PushReport { accepted: 1, refusal: None };

/// R3, found by services/verification/model: a handshake and its grace may end while another connection is pushed to.
#[test]
fn a_410_is_judged_by_when_its_push_was_ordered() {
    let early = Timestamp::from_millis(1);
    let late = early.plus(LIMITS.grace);
    let handshaking = live("handshaking", false);
    let (mut run, _) = Run::start(LIMITS, vec![Entry::Notification { item: item(), redelivered: false }]);
    run.on(Event::Listed(vec![live("slow", false), handshaking.clone()]), early);
    run.on(Event::Page { rows: Vec::new(), more: false }, early);
    let gone = PushReport { accepted: 0, refusal: Some(Refusal::Gone) };
    assert_eq!(run.on(Event::Pushed(vec![ACCEPTED, gone]), late), Command::Wait { attempt: 0 });
    assert!(matches!(run.on(Event::Waited, late), Command::Push(orders) if orders.len() == 1));
    assert_eq!(run.on(Event::Pushed(vec![gone]), late), Command::Forget(vec![handshaking]));
}

/// A run that crashed may have written ahead for a client that acknowledged and is gone.
#[test]
fn what_a_crashed_run_may_have_written_ahead_is_deleted_when_it_was_pushed() {
    let now = Timestamp::from_millis(1);
    let (mut run, _) = Run::start(LIMITS, vec![Entry::Notification { item: item(), redelivered: true }]);
    run.on(Event::Listed(vec![live("c", false)]), now);
    run.on(Event::Page { rows: Vec::new(), more: false }, now);
    assert_eq!(run.on(Event::Pushed(vec![ACCEPTED]), now), Command::Delete(vec![Sequence::new(1)]));
}

/// R6.
#[test]
fn connections_are_listed_again_after_rows_were_marked() {
    let now = Timestamp::from_millis(1);
    let (mut run, _) = Run::start(LIMITS, vec![Entry::Replay(Sequence::new(1))]);
    run.on(Event::Listed(vec![live("c", true)]), now);
    run.on(Event::Page { rows: vec![Held { item: item(), pushed_to: BTreeSet::new() }], more: false }, now);
    let marks = vec![(Sequence::new(1), BTreeSet::from([ConnectionId::new("c")]))];
    assert_eq!(run.on(Event::Pushed(vec![ACCEPTED]), now), Command::Mark(marks));
    assert_eq!(run.on(Event::Done, now), Command::ListConnections);
}

/// A run that failed may have deferred it. It is not written ahead, so no ack of it may ever come.
#[test]
fn what_is_not_to_be_held_leaves_the_mailbox_when_it_was_pushed() {
    let now = Timestamp::from_millis(1);
    let item = Item { when_offline: WhenOffline::Drop, ..item() };
    let entry = Entry::Notification { item: item.clone(), redelivered: true };
    let (mut run, _) = Run::start(LIMITS, vec![entry]);
    run.on(Event::Listed(vec![live("c", true)]), now);
    let deferred = Held { item, pushed_to: BTreeSet::new() };
    run.on(Event::Page { rows: vec![deferred], more: false }, now);
    assert_eq!(run.on(Event::Pushed(vec![ACCEPTED]), now), Command::Delete(vec![Sequence::new(1)]));
}
