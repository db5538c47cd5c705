//! The promises hold in small worlds; `scripts/model` explores larger ones.

use std::collections::HashSet;
use std::hash::Hash;

use verification_model::{Delivery, Exploration, Order, Scope, World, explore, scope, tell, walk};

/// More steps than any of these scopes has.
const MOST: usize = 20_000_000;

fn whole(scope: Scope) -> Exploration {
    let found = explore(scope, None, Order::DepthFirst, 1, MOST).unwrap();
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

#[test]
fn the_promises_hold_on_several_devices() {
    for name in ["push-2n-2d", "push-1n-3d", "ack-1n-2d", "mixed-1n-2d"] {
        whole(scope::named(name).unwrap());
    }
}

/// What is left out for speed leaves out no world that matters: without the reduction there is nothing
/// else to find.
#[test]
fn the_promises_hold_without_reduction() {
    for name in ["push-1n-1d-no-crash", "push-2n-1d", "ack-1n-1d"] {
        let scope = scope::named(name).unwrap();
        let reduced = whole(scope);
        let full = whole(Scope { reduced: false, symmetric: false, ..scope });
        assert!(reduced.states < full.states, "{name}: {} and {} states", reduced.states, full.states);
    }
}

/// What `view` sees of all worlds of a scope.
fn seen<T: Hash + Eq>(scope: Scope, view: impl Fn(&World) -> Option<T>) -> HashSet<T> {
    let model = Delivery::new(scope, None).unwrap();
    let mut known = HashSet::from([model.start().fingerprint]);
    let mut todo = vec![model.start()];
    let (mut views, mut enabled) = (HashSet::new(), Vec::new());
    while let Some(world) = todo.pop() {
        views.extend(view(&world));
        model.enabled(&world, &mut enabled);
        for action in &enabled {
            let next = model.apply(&world, *action);
            if known.insert(next.fingerprint) {
                todo.push(next);
            }
        }
    }
    views
}

/// With the reduction the same worlds of rest are reached, as far as promises are concerned.
#[test]
fn the_reduction_reaches_the_same_rest() {
    for name in [
        "push-2n-1d",
        "ack-1n-1d",
        "push-1n-2d-no-crash",
        "mixed-1n-2d-no-crash",
        "push-1n-2d",
        "ack-1n-2d-no-crash",
        "push-1n-1d-trouble",
    ] {
        let scope = scope::named(name).unwrap();
        let view = |world: &World| {
            // What is done to connections while there is nothing to deliver comes later in the reduced world.
            (world.accepted > 0 && world.is_quiet() && world.somebody_is_there()).then(|| {
                let World { accepted, held, delivered, faults, .. } = world;
                (*accepted, *held, *delivered, *faults)
            })
        };
        let full = seen(Scope { reduced: false, symmetric: false, ..scope }, view);
        let reduced = seen(scope, view);
        let missing: Vec<_> = full.difference(&reduced).take(5).collect();
        assert!(missing.is_empty(), "{name}: of {} not {missing:#?}", full.len());
    }
}

/// Of the worlds that differ in names alone one is enough: with symmetry the same worlds are reached, apart
/// from names, as without.
#[test]
fn symmetry_reaches_the_same_worlds() {
    for name in ["push-1n-2d", "mixed-1n-2d-no-crash", "ack-1n-2d-no-crash", "push-1n-3d-no-crash"] {
        let scope = scope::named(name).unwrap();
        let model = Delivery::new(scope, None).unwrap();
        let view = |world: &World| Some(model.canonical(world));
        let without = seen(Scope { symmetric: false, ..scope }, view);
        let with = seen(scope, view);
        assert_eq!(with.len(), without.len(), "{name}");
        assert!(with == without, "{name}");
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
