//! Exploration: visits every state of a scope, or goes random ways through it, and looks for a broken
//! promise.

use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model, Property};

use crate::action::Action;
use crate::model::Delivery;
use crate::promise::Promise;
use crate::rule::Rule;
use crate::scope::Scope;
use crate::state::State;

/// More spontaneous steps than any state of these scopes needs to become quiet.
const MAX_STEPS_TO_QUIET: usize = 2_000;

/// The result of an exploration.
#[derive(Debug, Clone)]
pub struct Exploration {
    /// Number of distinct states.
    pub states: usize,
    /// Number of steps tried.
    pub steps: usize,
    /// Length of the longest path taken to a new state. In breadth-first order every path is the shortest
    /// one.
    pub depth: usize,
    /// Duration of the exploration.
    pub elapsed: Duration,
    /// True if every state was visited. Otherwise a promise is broken or the limit of steps was reached.
    pub complete: bool,
    /// A path to a state that breaks a promise.
    pub counterexample: Option<Counterexample>,
}

/// A path to a state that breaks a promise.
#[derive(Debug, Clone)]
pub struct Counterexample {
    /// The broken promise.
    pub promise: Promise,
    /// The actions from the start.
    pub actions: Vec<Action>,
}

/// The order in which states are visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchOrder {
    /// By distance from the start: counterexamples are the shortest there are.
    BreadthFirst,
    /// Deepest first: takes much less memory, and counterexamples are long.
    DepthFirst,
}

impl Model for Delivery {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.enabled(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        Some(self.apply(state, action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        // `always` takes a function pointer, so each promise needs a closure of its own.
        macro_rules! always {
            ($($promise:ident),*) => {
                vec![$(Property::always(Promise::$promise.name(), |model: &Self, state: &State| {
                    Promise::$promise.holds(model, state)
                })),*]
            };
        }
        always!(
            NothingLost,
            InOrder,
            NoNeedlessRepeat,
            NothingStranded,
            MailboxEmpties,
            NoDeadlock,
            ValidOutput
        )
    }
}

/// Explores a scope with all rules or `without` one, up to about `max_steps` steps.
///
/// # Errors
/// The real edge refuses one of the scope's devices.
pub fn explore(
    scope: Scope,
    without: Option<Rule>,
    order: SearchOrder,
    threads: usize,
    max_steps: usize,
) -> anyhow::Result<Exploration> {
    let start = Instant::now();
    let builder = Delivery::new(scope, without)?
        .checker()
        .threads(threads)
        .finish_when(HasDiscoveries::AnyFailures)
        .target_state_count(max_steps);
    let found = match order {
        SearchOrder::BreadthFirst => result(&builder.spawn_bfs().join(), start, max_steps),
        SearchOrder::DepthFirst => result(&builder.spawn_dfs().join(), start, max_steps),
    };
    Ok(found)
}

fn result(checker: &impl Checker<Delivery>, start: Instant, max_steps: usize) -> Exploration {
    let found = Promise::ALL.into_iter().filter_map(|promise| {
        let actions = checker.discovery(promise.name())?.into_actions();
        shortened(checker.model(), actions)
    });
    let counterexample = found.min_by_key(|found| found.actions.len());
    Exploration {
        states: checker.unique_state_count(),
        steps: checker.state_count(),
        depth: checker.max_depth(),
        elapsed: start.elapsed(),
        complete: counterexample.is_none() && checker.state_count() < max_steps,
        counterexample,
    }
}

/// The path up to the first state that breaks a promise. The checker's path may go on after it.
fn shortened(model: &Delivery, mut actions: Vec<Action>) -> Option<Counterexample> {
    let mut state = model.start();
    for (done, action) in (1..).zip(actions.clone()) {
        state = model.apply(&state, action);
        if let Some(promise) = Promise::broken(model, &state) {
            actions.truncate(done);
            return Some(Counterexample { promise, actions });
        }
    }
    None
}

/// Takes `steps` random steps, chosen by `seed`, and then spontaneous steps until the state is quiet.
///
/// A walk finds a circle of steps that never becomes quiet. An exploration can't, because it checks states
/// one by one.
///
/// # Errors
/// The real edge refuses one of the scope's devices.
pub fn random_walk(scope: Scope, seed: u64, steps: usize) -> anyhow::Result<Option<Counterexample>> {
    let model = Delivery::new(scope, None)?;
    let mut state = model.start();
    let (mut actions, mut enabled) = (Vec::new(), Vec::new());
    let mut random = seed;
    for _ in 0..steps {
        model.enabled(&state, &mut enabled);
        if enabled.is_empty() {
            break;
        }
        // Knuth's linear congruential generator. Its high bits are random enough for a choice.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let choice = usize::try_from(random >> 33).unwrap_or(0) % enabled.len();
        state = model.apply(&state, enabled[choice]);
        actions.push(enabled[choice]);
    }
    let broken = run_to_quiet(&model, state, &mut actions);
    Ok(broken.map(|promise| Counterexample { promise, actions }))
}

/// Takes spontaneous steps in a fixed order until none is left, and returns the promise that is broken then.
pub(crate) fn run_to_quiet(model: &Delivery, mut state: State, actions: &mut Vec<Action>) -> Option<Promise> {
    let mut enabled = Vec::new();
    for _ in 0..MAX_STEPS_TO_QUIET {
        model.enabled(&state, &mut enabled);
        let Some(action) = enabled.iter().copied().find(|action| action.is_spontaneous()) else { break };
        state = model.apply(&state, action);
        actions.push(action);
    }
    Promise::broken(model, &state).or_else(|| (!state.is_quiet()).then_some(Promise::NoDeadlock))
}
