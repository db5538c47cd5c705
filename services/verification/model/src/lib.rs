//! A model checker of delivery: the real cores of dispatcher, replayer and edge in a small world, explored
//! in every order in which things can happen, with crashes and failures between any two steps.
//!
//! What is promised, which rules it rests on and what was explored is in docs/explanation/verification.md.

mod action;
mod check;
mod dispatch;
mod edge;
mod machine;
mod promise;
mod reduce;
mod rule;
mod saved;
pub mod scope;
mod set;
mod step;
mod story;
mod symmetry;
mod world;

pub use action::{Action, Outcome};
pub use check::{Counterexample, Exploration, Order, explore, walk};
pub use promise::Promise;
pub use rule::Rule;
pub use saved::SavedStory;
pub use scope::Scope;
pub use story::tell;
pub use world::World;

use std::sync::Arc;

use dispatcher::core::run::OpenConnection;
use machine::Machines;
use stateright::{Model, Property};

/// The model: a scope, and a rule that is left out of it, if any.
#[derive(Debug, Clone)]
pub struct Delivery {
    scope: Scope,
    without: Option<Rule>,
    /// What the dispatcher sees of each device's connection.
    lives: Vec<OpenConnection>,
    /// What the machines were seen to do.
    machines: Arc<Machines>,
}

impl Delivery {
    /// The world of a scope.
    ///
    /// # Errors
    /// The real edge does not admit one of the scope's devices.
    pub fn new(scope: Scope, without: Option<Rule>) -> anyhow::Result<Self> {
        let devices = (0..).zip(scope.devices);
        let lives =
            devices.map(|(index, device)| edge::admitted(index, *device)).collect::<Result<_, _>>()?;
        Ok(Self { scope, without, lives, machines: Arc::default() })
    }

    /// The world before anything happened.
    pub fn start(&self) -> World {
        let world = World::new(self.scope.faults);
        World { fingerprint: self.identity(&world), ..world }
    }
}

impl Model for Delivery {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![self.start()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        self.enabled(world, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        Some(self.apply(world, action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        // `always` takes a plain function, so there is one for each promise.
        macro_rules! always {
            ($($promise:ident),*) => {
                vec![$(Property::always(Promise::$promise.name(), |model: &Self, world: &World| {
                    Promise::$promise.holds(model, world)
                })),*]
            };
        }
        always!(NothingLost, InOrder, NoNeedlessRepeat, NothingStranded, MailboxEmpties, NoDeadlock, Sense)
    }
}
