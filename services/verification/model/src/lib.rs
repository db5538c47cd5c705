//! A model checker of delivery.
//!
//! The real cores of dispatcher, replayer and edge run in a small environment of one user. Every order of
//! events is explored, with crashes and faults between any two steps. docs/explanation/delivery.md has the
//! promises and the rules that keep them, docs/explanation/verification.md the scopes explored.
//!
//! Modules use those before them only:
//!
//! 1. Vocabulary: `set`, `memo`, `ids`, `queue`, `action`, `task`, `rule`, `scope`.
//! 2. The real cores and the state around them: `edge`, `machines`, `state`, `model`.
//! 3. Steps: `dispatch`, `symmetry`, `reduce`, `step`, `enabled`, `promise`.
//! 4. Exploration: `explore`, `describe`, `saved_counterexample`.
//!
//! [`SeveralQueues`] is a small model of its own.

mod action;
mod describe;
mod dispatch;
mod edge;
mod enabled;
mod explore;
mod ids;
mod machines;
mod memo;
mod model;
mod promise;
mod queue;
mod reduce;
mod rule;
mod saved_counterexample;
pub mod scope;
mod set;
mod several_queues;
mod state;
mod step;
mod symmetry;
mod task;

pub use action::{Action, Outcome};
pub use describe::describe;
pub use explore::{Counterexample, Exploration, SearchOrder, explore, random_walk};
pub use model::Delivery;
pub use promise::Promise;
pub use rule::Rule;
pub use saved_counterexample::SavedCounterexample;
pub use scope::Scope;
pub use several_queues::SeveralQueues;
pub use state::State;
