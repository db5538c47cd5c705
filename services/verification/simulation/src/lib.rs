//! Simulation of the whole standalone system, deterministic from a seed.
//!
//! The real store, on a real engine and directory, the real sockets, workers, dispatcher, replayer and edge
//! run in virtual time. The seed decides how the world is made ([`Plan`]), which ports fail and when, in
//! which order what could happen at the same time does, when devices come and go, and when the process
//! crashes. Everything that happens is in the [`Trace`], on which [`check`] looks for a broken promise.

mod check;
mod device;
mod dice;
mod disk;
mod explore;
mod faulty;
mod history;
mod mutant;
mod plan;
mod process;
mod producer;
mod run;
mod tally;
mod tap;
mod trace;
mod world;

pub use check::{Broken, Promise, check};
pub use dice::Dice;
pub use explore::{Found, explore};
pub use mutant::Mutant;
pub use plan::{DevicePlan, End, Plan, SendPlan, UserPlan};
pub use run::{Finished, run};
pub use tally::Tally;
pub use trace::{Event, FaultKind, Trace, What};

/// Why a world could not be run.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// No place for its data.
    #[error("the directory of the world can't be used")]
    Directory(#[source] std::io::Error),
    /// No runtime.
    #[error("the runtime can't be made")]
    Runtime(#[source] std::io::Error),
    /// The store does not open.
    #[error("the store of the world can't be opened")]
    Open(#[from] tidings_store::OpenError),
    /// The store can't be read in the end.
    #[error("the store of the world can't be read")]
    Read(#[source] tidings_store::StoreError),
    /// A row can't be damaged between two processes.
    #[error("a row of the world can't be damaged")]
    Damage(#[source] tidings_store::StoreError),
    /// Something of a process has outlived it.
    #[error("a task has outlived its process")]
    Leftover,
}
