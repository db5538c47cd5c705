//! The promises hold in small worlds; `scripts/model` explores larger ones.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use model::{Delivery, Exploration, Scope, explore, scope, tell, walk};

/// More steps than any of these scopes has.
const MOST: usize = 20_000_000;

fn whole(scope: Scope) -> Exploration {
    let found = explore(scope, None, 1, MOST).unwrap();
    if let Some(counterexample) = &found.counterexample {
        let story = tell(&Delivery::new(scope, None).unwrap(), &counterexample.actions);
        panic!("{} is broken in {}:\n{}", counterexample.promise, scope.name, story.join("\n"));
    }
    assert!(found.complete, "{} has more than {MOST} steps", scope.name);
    found
}

#[test]
fn the_promises_hold_in_small_worlds() {
    for scope in scope::SMALL {
        whole(*scope);
    }
}

/// What is left out for speed leaves out no world that matters: without the reduction there is nothing
/// else to find.
#[test]
fn the_promises_hold_without_reduction() {
    for name in ["push-1n-1d-no-crash", "push-2n-1d", "ack-1n-1d"] {
        let scope = scope::named(name).unwrap();
        let reduced = whole(scope);
        let full = whole(Scope { reduced: false, ..scope });
        assert!(reduced.states < full.states, "{name}: {} and {} states", reduced.states, full.states);
    }
}

/// Once nothing more goes wrong, the world comes to rest, from wherever it was, and every promise is kept.
#[test]
fn the_world_comes_to_rest() {
    for scope in [scope::SMALL, scope::QUICK, scope::DEEP].concat() {
        for seed in 0..300 {
            let steps = usize::try_from(seed % 60).unwrap();
            if let Some(counterexample) = walk(scope, seed, steps).unwrap() {
                let model = Delivery::new(scope, None).unwrap();
                let story = tell(&model, &counterexample.actions[..counterexample.actions.len().min(100)]);
                panic!("{} is broken in {}:\n{}", counterexample.promise, scope.name, story.join("\n"));
            }
        }
    }
}
