//! A deterministic simulation of the whole standalone system.
//!
//! The real store, on its real engine in a directory, the real sockets, workers, dispatcher, replayer and
//! edge run in virtual time. A seed decides everything: the settings and users ([`Plan`]), the faults of
//! ports, the order of events at the same moment, the comings and goings of devices, and the crashes of the
//! process. All events go into the [`Trace`], on which [`check`] looks for a broken promise. Mutants show
//! that the check can fail.
//!
//! Each process of a simulation is a paused single-threaded runtime, so races between threads are not
//! simulated.

mod check;
mod device;
mod disk;
mod error;
mod explore;
mod fault_injection;
mod history;
mod mutant;
mod plan;
mod process;
mod producer;
mod recording_socket;
mod run;
mod simulation;
mod statistics;
mod trace;
mod vanishing;

pub use check::{Promise, Violation, check};
pub use error::SimulationError;
pub use explore::{Exploration, explore};
pub use mutant::Mutant;
pub use plan::{DevicePlan, Plan, ProcessEnd, SendPlan, UserPlan};
pub use run::{Finished, run};
pub use statistics::Statistics;
pub use trace::{Event, EventKind, FaultKind, Trace};
pub use verification_random::SeededRandom;
