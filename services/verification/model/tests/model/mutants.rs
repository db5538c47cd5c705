//! Every rule is needed: without it a promise is broken.

use verification_model::{Delivery, Promise, Rule, Scope, SearchOrder, describe, explore, scope};

const MAX_STEPS: usize = 5_000_000;

/// Explores the rule's scope without the rule and returns the promise that is broken, with the path to it.
fn explore_without(rule: Rule, reduced: bool) -> (Promise, Vec<String>) {
    let scope = Scope { reduced, symmetric: reduced, ..scope::named(scope::for_missing_rule(rule)).unwrap() };
    let found = explore(scope, Some(rule), SearchOrder::BreadthFirst, 1, MAX_STEPS).unwrap().counterexample;
    let counterexample = found.unwrap_or_else(|| panic!("{} needs no {rule:?}", scope.name));
    let trace = describe(&Delivery::new(scope, Some(rule)).unwrap(), &counterexample.actions);
    (counterexample.promise, trace)
}

const fn promise_broken_without(rule: Rule) -> Promise {
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
        | Rule::ReplayTheRest
        | Rule::SweepScheduledReplays
        | Rule::ReadConsistently => Promise::NothingStranded,
    }
}

#[test]
fn every_missing_rule_breaks_its_promise() {
    for rule in Rule::needed() {
        let (promise, trace) = explore_without(rule, true);
        assert_eq!(promise, promise_broken_without(rule), "{rule:?}:\n{}", trace.join("\n"));
    }
}

/// The reduction hides no counterexample.
#[test]
fn every_missing_rule_breaks_a_promise_unreduced() {
    for rule in Rule::needed() {
        explore_without(rule, false);
    }
}

/// A marked row was in the mailbox before the run last listed connections. A connection that appears later
/// has a replayer that finds the row there. docs/explanation/delivery.md gives the full argument.
#[test]
fn look_after_marking_is_not_needed() {
    for name in ["ack-1n-2d", "ack-2n-1d-no-crash", "mixed-1n-2d", "ack-1n-1d-faults"] {
        let scope = scope::named(name).unwrap();
        let rule = Some(Rule::LookAgainAfterMarking);
        let found = explore(scope, rule, SearchOrder::DepthFirst, 1, MAX_STEPS).unwrap();
        assert!(found.complete && found.counterexample.is_none(), "{name}: {found:?}");
    }
}

/// With all rules, no promise is broken in the scopes that need them.
#[test]
fn complete_rules_break_no_promise() {
    for rule in Rule::all() {
        let scope = scope::named(scope::for_missing_rule(*rule)).unwrap();
        let found = explore(scope, None, SearchOrder::BreadthFirst, 1, MAX_STEPS).unwrap();
        assert!(found.complete && found.counterexample.is_none(), "{}: {found:?}", scope.name);
    }
}
