//! Explores a scope.

use std::time::{Duration, Instant};

use stateright::{Checker as _, HasDiscoveries, Model as _};

use crate::{Action, Delivery, Promise, Rule, Scope};

/// What an exploration found.
#[derive(Debug, Clone)]
pub struct Exploration {
    /// Worlds that differ.
    pub states: usize,
    /// Steps tried.
    pub steps: usize,
    /// The longest of the shortest ways to a world.
    pub depth: usize,
    /// How long it took.
    pub took: Duration,
    /// Whether every world was seen; otherwise the bound on the number of steps was reached, or a promise
    /// was found broken.
    pub complete: bool,
    /// A shortest way to a world that breaks a promise.
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

/// Explores a scope breadth first, with a rule left out or none, up to about `most` steps.
///
/// # Errors
/// The real edge does not admit one of the scope's devices.
pub fn explore(
    scope: Scope,
    without: Option<Rule>,
    threads: usize,
    most: usize,
) -> anyhow::Result<Exploration> {
    let begun = Instant::now();
    let checker = Delivery::new(scope, without)?
        .checker()
        .threads(threads)
        .finish_when(HasDiscoveries::AnyFailures)
        .target_state_count(most)
        .spawn_bfs()
        .join();
    let shortest = Promise::ALL
        .into_iter()
        .filter_map(|promise| Some((promise, checker.discovery(promise.name())?.into_actions())))
        .min_by_key(|(_, actions)| actions.len());
    let counterexample = shortest.map(|(promise, actions)| Counterexample { promise, actions });
    Ok(Exploration {
        states: checker.unique_state_count(),
        steps: checker.state_count(),
        depth: checker.max_depth(),
        took: begun.elapsed(),
        complete: counterexample.is_none() && checker.state_count() < most,
        counterexample,
    })
}
