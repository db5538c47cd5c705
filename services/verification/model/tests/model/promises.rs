//! The promises hold in small scopes, with the reductions and without. `scripts/model` explores larger
//! scopes.

use std::collections::HashSet;
use std::hash::Hash;

use verification_model::{
    Delivery, Exploration, Scope, SearchOrder, State, describe, explore, random_walk, scope,
};

/// More steps than any of these scopes has.
const MAX_STEPS: usize = 20_000_000;

/// Explores all of a scope, in which every promise must hold.
fn explore_all(scope: Scope) -> Exploration {
    let found = explore(scope, None, SearchOrder::DepthFirst, 1, MAX_STEPS).unwrap();
    if let Some(counterexample) = &found.counterexample {
        let trace = describe(&Delivery::new(scope, None).unwrap(), &counterexample.actions);
        panic!("{} is broken in {}:\n{}", counterexample.promise, scope.name, trace.join("\n"));
    }
    assert!(found.complete, "{} has more than {MAX_STEPS} steps", scope.name);
    found
}

#[test]
fn promises_hold_in_small_scopes() {
    for scope in scope::SMALL {
        explore_all(*scope);
    }
}

#[test]
fn promises_hold_on_several_devices() {
    for name in ["push-2n-2d", "push-1n-3d", "ack-1n-2d", "mixed-1n-2d"] {
        explore_all(scope::named(name).unwrap());
    }
}

/// The reductions hide no broken promise, and do reduce the number of states.
#[test]
fn promises_hold_without_reduction() {
    for name in ["push-1n-1d-no-crash", "push-2n-1d", "ack-1n-1d"] {
        let scope = scope::named(name).unwrap();
        let reduced = explore_all(scope);
        let full = explore_all(Scope { reduced: false, symmetric: false, ..scope });
        assert!(reduced.states < full.states, "{name}: {} and {} states", reduced.states, full.states);
    }
}

/// Visits every state of a scope and collects the results of `view`.
fn views<T: Hash + Eq>(scope: Scope, view: impl Fn(&State) -> Option<T>) -> HashSet<T> {
    let model = Delivery::new(scope, None).unwrap();
    let mut known = HashSet::from([model.start().fingerprint]);
    let mut todo = vec![model.start()];
    let (mut views, mut enabled) = (HashSet::new(), Vec::new());
    while let Some(state) = todo.pop() {
        views.extend(view(&state));
        model.enabled(&state, &mut enabled);
        for action in &enabled {
            let next = model.apply(&state, *action);
            if known.insert(next.fingerprint) {
                todo.push(next);
            }
        }
    }
    views
}

/// With the reduction the same quiet states are reached, as far as promises depend on them.
#[test]
fn reduction_reaches_the_same_quiet_states() {
    for name in [
        "push-2n-1d",
        "ack-1n-1d",
        "push-1n-2d-no-crash",
        "mixed-1n-2d-no-crash",
        "push-1n-2d",
        "ack-1n-2d-no-crash",
        "push-1n-1d-faults",
    ] {
        let scope = scope::named(name).unwrap();
        let view = |state: &State| {
            // Events of connections before the first notification come later in the reduced scope.
            (state.accepted > 0 && state.is_quiet() && state.has_open_connection()).then(|| {
                let State { accepted, held, delivered, faults, .. } = state;
                (*accepted, *held, *delivered, *faults)
            })
        };
        let full = views(Scope { reduced: false, symmetric: false, ..scope }, view);
        let reduced = views(scope, view);
        let missing: Vec<_> = full.difference(&reduced).take(5).collect();
        assert!(missing.is_empty(), "{name}: of {} not {missing:#?}", full.len());
    }
}

/// With symmetry the same states are reached, apart from names, as without.
#[test]
fn symmetry_reaches_the_same_states() {
    for name in ["push-1n-2d", "mixed-1n-2d-no-crash", "ack-1n-2d-no-crash", "push-1n-3d-no-crash"] {
        let scope = scope::named(name).unwrap();
        let model = Delivery::new(scope, None).unwrap();
        let view = |state: &State| Some(model.canonical(state));
        let without = views(Scope { symmetric: false, ..scope }, view);
        let with = views(scope, view);
        assert_eq!(with.len(), without.len(), "{name}");
        assert!(with == without, "{name}");
    }
}

/// After any path, the system becomes quiet once no more faults happen, and keeps every promise.
#[test]
fn random_walks_become_quiet() {
    for scope in [scope::SMALL, scope::QUICK, scope::DEEP].concat() {
        for seed in 0..300 {
            let steps = usize::try_from(seed % 60).unwrap();
            if let Some(counterexample) = random_walk(scope, seed, steps).unwrap() {
                let model = Delivery::new(scope, None).unwrap();
                let trace =
                    describe(&model, &counterexample.actions[..counterexample.actions.len().min(100)]);
                panic!("{} is broken in {}:\n{}", counterexample.promise, scope.name, trace.join("\n"));
            }
        }
    }
}
