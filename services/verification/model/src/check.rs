//! Explores a scope.

use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model as _};

use crate::{Action, Delivery, Promise, Rule, Scope, World};

/// What an exploration found.
#[derive(Debug, Clone)]
pub struct Exploration {
    /// Worlds that differ.
    pub states: usize,
    /// Steps tried.
    pub steps: usize,
    /// The longest way to a world that was gone; breadth first, that is the longest of the shortest ways.
    pub depth: usize,
    /// How long it took.
    pub took: Duration,
    /// Whether every world was seen; otherwise the bound on the number of steps was reached, or a promise
    /// was found broken.
    pub complete: bool,
    /// A way to a world that breaks a promise.
    pub counterexample: Option<Counterexample>,
}

/// How a promise is broken.
#[derive(Debug, Clone)]
pub struct Counterexample {
    /// Which.
    pub promise: Promise,
    /// What is done, from the start.
    pub actions: Vec<Action>,
}

/// In which order worlds are visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Near ones first: counterexamples are as short as can be.
    BreadthFirst,
    /// Far ones first: it takes much less memory, and counterexamples are long.
    DepthFirst,
}

/// Explores a scope, with a rule left out or none, up to about `most` steps.
///
/// # Errors
/// The real edge does not admit one of the scope's devices.
pub fn explore(
    scope: Scope,
    without: Option<Rule>,
    order: Order,
    threads: usize,
    most: usize,
) -> anyhow::Result<Exploration> {
    let begun = Instant::now();
    let builder = Delivery::new(scope, without)?
        .checker()
        .threads(threads)
        .finish_when(HasDiscoveries::AnyFailures)
        .target_state_count(most);
    let found = match order {
        Order::BreadthFirst => found(&builder.spawn_bfs().join(), begun, most),
        Order::DepthFirst => found(&builder.spawn_dfs().join(), begun, most),
    };
    Ok(found)
}

fn found(checker: &impl Checker<Delivery>, begun: Instant, most: usize) -> Exploration {
    let found = Promise::ALL.into_iter().filter_map(|promise| {
        let actions = checker.discovery(promise.name())?.into_actions();
        first_broken(checker.model(), actions)
    });
    let counterexample = found.min_by_key(|found| found.actions.len());
    Exploration {
        states: checker.unique_state_count(),
        steps: checker.state_count(),
        depth: checker.max_depth(),
        took: begun.elapsed(),
        complete: counterexample.is_none() && checker.state_count() < most,
        counterexample,
    }
}

/// The way as far as the first world that breaks a promise. (The checker goes on for a while when it has
/// found one.)
fn first_broken(model: &Delivery, mut actions: Vec<Action>) -> Option<Counterexample> {
    let mut world = model.start();
    for (done, action) in (1..).zip(actions.clone()) {
        world = model.apply(&world, action);
        if let Some(promise) = Promise::broken(model, &world) {
            actions.truncate(done);
            return Some(Counterexample { promise, actions });
        }
    }
    None
}

/// More steps than any world of ours needs to come to rest.
const REST: usize = 2_000;

/// Goes a way of `steps` steps, chosen by `seed`, and lets the world come to rest then, without further
/// trouble. That it always does is what an exploration, which only looks at worlds one by one, can't see.
///
/// # Errors
/// The real edge does not admit one of the scope's devices.
pub fn walk(scope: Scope, seed: u64, steps: usize) -> anyhow::Result<Option<Counterexample>> {
    let model = Delivery::new(scope, None)?;
    let mut world = model.start();
    let (mut actions, mut enabled) = (Vec::new(), Vec::new());
    let mut state = seed;
    for _ in 0..steps {
        model.enabled(&world, &mut enabled);
        if enabled.is_empty() {
            break;
        }
        // Knuth's linear congruential generator; its high bits are good enough to choose by.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let choice = usize::try_from(state >> 33).unwrap_or(0) % enabled.len();
        world = model.apply(&world, enabled[choice]);
        actions.push(enabled[choice]);
    }
    let broken = come_to_rest(&model, world, &mut actions);
    Ok(broken.map(|promise| Counterexample { promise, actions }))
}

/// Lets everything happen that happens by itself, in a fixed order, until all is quiet.
pub(crate) fn come_to_rest(model: &Delivery, mut world: World, actions: &mut Vec<Action>) -> Option<Promise> {
    let mut enabled = Vec::new();
    for _ in 0..REST {
        model.enabled(&world, &mut enabled);
        let Some(action) = enabled.iter().copied().find(|action| action.is_calm()) else { break };
        world = model.apply(&world, action);
        actions.push(action);
    }
    Promise::broken(model, &world).or_else(|| (!world.is_quiet()).then_some(Promise::NoDeadlock))
}
