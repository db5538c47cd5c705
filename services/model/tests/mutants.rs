//! No rule is there for nothing: without any one of them a promise is broken.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use model::{Delivery, Order, Promise, Rule, Scope, explore, scope, tell};

const MOST: usize = 5_000_000;

/// The promise that is broken in the rule's scope, and how.
fn without(rule: Rule, reduced: bool) -> (Promise, Vec<String>) {
    let scope = Scope { reduced, ..scope::named(scope::missing(rule)).unwrap() };
    let found = explore(scope, Some(rule), Order::BreadthFirst, 1, MOST).unwrap().counterexample;
    let counterexample = found.unwrap_or_else(|| panic!("{rule:?} is not missed in {}", scope.name));
    let story = tell(&Delivery::new(scope, Some(rule)).unwrap(), &counterexample.actions);
    (counterexample.promise, story)
}

fn breaks(rule: Rule) -> Promise {
    match rule {
        Rule::DrainFirst | Rule::FailureKeepsItsPlace | Rule::OneRunAtATime => Promise::InOrder,
        Rule::WriteAhead | Rule::RetryTheRest => Promise::NothingLost,
        Rule::WriteBeforePush | Rule::MarkOnlyIfThere => Promise::MailboxEmpties,
        Rule::QueueReplayWhenDeferred
        | Rule::LookAgainAfterStoring
        | Rule::HandshakeGrace
        | Rule::MarkAfterPush
        | Rule::PerConnection
        | Rule::LookAgainBeforeFinishing
        | Rule::ReportFailedReplay
        | Rule::ReadConsistently => Promise::NothingStranded,
    }
}

#[test]
fn every_rule_is_missed() {
    for rule in Rule::all() {
        let (promise, story) = without(*rule, true);
        assert_eq!(promise, breaks(*rule), "{rule:?}:\n{}", story.join("\n"));
    }
}

/// The reduction hides no counterexample.
#[test]
fn every_rule_is_missed_without_reduction() {
    for rule in Rule::all() {
        without(*rule, false);
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
