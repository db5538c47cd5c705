//! The number of queues changes: the promises hold with all rules, and every rule is needed.

use verification_model::SeveralQueues;

#[test]
fn change_of_the_number_of_queues_keeps_order() {
    let (states, broken) = SeveralQueues::ALL.explore();
    assert!(broken.is_empty(), "{broken:?}");
    assert!(states > 1_000, "{states} states are not many");
}

#[test]
fn change_within_an_epoch_breaks_order() {
    let (_, broken) = SeveralQueues { raises_epoch: false, ..SeveralQueues::ALL }.explore();
    assert!(broken.contains(&"in order") && broken.contains(&"everything arrives"), "{broken:?}");
}

#[test]
fn change_before_the_queue_is_empty_breaks_order() {
    let (_, broken) = SeveralQueues { drains_first: false, ..SeveralQueues::ALL }.explore();
    assert_eq!(broken, ["in order"]);
}

#[test]
fn dispatch_of_strangers_breaks_order() {
    let (_, broken) = SeveralQueues { forwards: false, ..SeveralQueues::ALL }.explore();
    assert!(broken.contains(&"in order"), "{broken:?}");
}
