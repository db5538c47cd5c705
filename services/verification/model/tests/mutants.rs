//! No rule is there for nothing: without any one of them a promise is broken.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use verification_model::{Delivery, Order, Promise, Rule, Scope, explore, scope, tell};

const MOST: usize = 5_000_000;

/// The promise that is broken in the rule's scope, and how.
fn without(rule: Rule, reduced: bool) -> (Promise, Vec<String>) {
    let scope = Scope { reduced, symmetric: reduced, ..scope::named(scope::missing(rule)).unwrap() };
    let found = explore(scope, Some(rule), Order::BreadthFirst, 1, MOST).unwrap().counterexample;
    let counterexample = found.unwrap_or_else(|| panic!("{rule:?} is not missed in {}", scope.name));
    let story = tell(&Delivery::new(scope, Some(rule)).unwrap(), &counterexample.actions);
    (counterexample.promise, story)
}

fn breaks(rule: Rule) -> Promise {
    match rule {
        Rule::FailureStopsThatUserOnly => Promise::NoNeedlessRepeat,
        Rule::DrainFirst | Rule::FailureKeepsItsPlace | Rule::OneRunAtATime => Promise::InOrder,
        Rule::WriteAhead | Rule::RetryTheRest => Promise::NothingLost,
        Rule::WriteBeforePush | Rule::MarkOnlyIfThere => Promise::MailboxEmpties,
        Rule::QueueReplayWhenDeferred
        | Rule::LookAgainAfterStoring
        | Rule::HandshakeGrace
        | Rule::MarkAfterPush
        | Rule::PerConnection
        | Rule::LookAgainBeforeFinishing
        | Rule::LookAgainAfterMarking
        | Rule::ReportFailedReplay
        | Rule::ReadConsistently => Promise::NothingStranded,
    }
}

#[test]
fn every_rule_is_missed() {
    for rule in Rule::needed() {
        let (promise, story) = without(rule, true);
        assert_eq!(promise, breaks(rule), "{rule:?}:\n{}", story.join("\n"));
    }
}

/// The reduction hides no counterexample.
#[test]
fn every_rule_is_missed_without_reduction() {
    for rule in Rule::needed() {
        without(rule, false);
    }
}

/// What a run marks was in the mailbox before it last listed connections, and one that appears later has a
/// replayer that finds it there: docs/explanation/delivery.md says so, and this that it is true.
#[test]
fn the_look_after_marks_is_not_missed() {
    for name in ["ack-1n-2d", "ack-2n-1d-no-crash", "mixed-1n-2d", "ack-1n-1d-trouble"] {
        let scope = scope::named(name).unwrap();
        let found = explore(scope, Some(Rule::LookAgainAfterMarking), Order::DepthFirst, 1, MOST).unwrap();
        assert!(found.complete && found.counterexample.is_none(), "{name}: {found:?}");
    }
}

/// With the rule there is nothing to find in the scope in which it is missed.
#[test]
fn nothing_is_broken_with_the_rules() {
    for rule in Rule::all() {
        let scope = scope::named(scope::missing(*rule)).unwrap();
        let found = explore(scope, None, Order::BreadthFirst, 1, MOST).unwrap();
        assert!(found.complete && found.counterexample.is_none(), "{}: {found:?}", scope.name);
    }
}
