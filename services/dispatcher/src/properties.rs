//! Properties of delivery and history, checked in thousands of random worlds.
//!
//! A [`World`] has one user with a queue, a mailbox and connections, and real runs are driven in it. A list
//! of random numbers decides its events and faults.

mod world;

use std::collections::BTreeSet;

use contract_history_v1::HistoryOutcome;
use contract_notifications_v1::Sequence;
use proptest::prelude::*;

use world::{Choices, World};

fn ascending(sequences: &[Sequence]) -> bool {
    sequences.is_sorted_by(|a, b| a < b)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn delivery_promises_hold(script in prop::collection::vec(any::<u16>(), 0..400)) {
        let mut world = World::new();
        let mut choices = Choices(script.into());
        while !choices.0.is_empty() {
            world.act(&mut choices);
        }
        world.quiesce();

        // (a) and (d): no notification is lost or stranded.
        let arrived: BTreeSet<_> = world.first_deliveries.iter().copied().collect();
        prop_assert!(
            world.must_arrive.is_subset(&arrived),
            "lost {:?}: {}",
            world.must_arrive.difference(&arrived).collect::<Vec<_>>(),
            world.summary()
        );
        // (b): the user sees first deliveries in order. After a fault, a `when_offline: drop` notification
        // may have been discarded and come back with the redelivery of its run.
        let mut ordered = world.first_deliveries.clone();
        ordered.retain(|sequence| world.faults == 0 || !world.may_be_dropped.contains(sequence));
        prop_assert!(ascending(&ordered), "order: {}", world.summary());
        // (c): without a fault no connection gets a notification twice, so the order on each connection is
        // the user's. After a fault, a device may get again what another device has acknowledged.
        for client in &world.clients {
            prop_assert!(world.faults > 0 || ascending(&client.received), "twice: {}", world.summary());
        }
        // The mailbox empties. The table's time to live deletes expired rows.
        let now = world.now;
        world.mailbox.retain(|_, row| row.item.expires_at.is_none_or(|at| at > now));
        for client in 0..world.clients.len() {
            world.acknowledge(client);
        }
        prop_assert!(world.mailbox.is_empty(), "left: {}", world.summary());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn history_records_each_event_once(script in prop::collection::vec(any::<u16>(), 0..400)) {
        let mut world = World::new();
        let mut choices = Choices(script.into());
        while !choices.0.is_empty() {
            world.act(&mut choices);
        }
        world.quiesce();

        let of = |what: HistoryOutcome| -> BTreeSet<Sequence> {
            let all = world.history.iter().flatten();
            all.filter(|event| event.what == what).map(|event| event.sequence).collect()
        };
        let (delivered, expired) = (of(HistoryOutcome::Delivered), of(HistoryOutcome::Expired));
        let (dropped, held) = (of(HistoryOutcome::Dropped), of(HistoryOutcome::Held));
        // Only events that happened are recorded.
        prop_assert!(delivered.is_subset(&world.accepted));
        prop_assert!(dropped.is_subset(&world.may_be_dropped));
        // A `when_offline: drop` notification may have got an expiry from the run.
        prop_assert!(expired.iter().all(|s| world.may_expire.contains(s) || world.may_be_dropped.contains(s)));
        for run in &world.history {
            let keys: BTreeSet<_> = run.iter().map(|event| (event.sequence, event.what)).collect();
            prop_assert_eq!(keys.len(), run.len(), "a key is recorded twice in a run");
        }
        // The effects of a crash or a failed command are not known. Without a fault, every event is recorded.
        if world.faults == 0 {
            prop_assert_eq!(&delivered, &world.accepted);
            let recorded: BTreeSet<_> = [&delivered, &expired, &dropped, &held].into_iter().flatten().copied().collect();
            prop_assert_eq!(recorded, world.produced());
            // No event follows the end. A delivered notification may expire before a client acknowledges it.
            let mut ended = BTreeSet::new();
            for event in world.history.iter().flatten() {
                prop_assert!(!ended.contains(&event.sequence), "after its end: {event:?}");
                if matches!(event.what, HistoryOutcome::Expired | HistoryOutcome::Dropped) {
                    ended.insert(event.sequence);
                }
            }
        }
    }
}
