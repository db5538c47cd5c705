//! Simulations of the services on AWS.
//!
//! The real services above their adapters run on a simulated AWS that behaves as documented, its misbehaviour
//! included: the dispatcher's batches, the replayer, the edge, the issuer and the authorizer of handshakes. Time is
//! virtual, and a seed decides everything, so a seed that breaks a promise always does. Each module of AWS has a
//! table of the behaviours that it simulates, with their sources.
//!
//! Modules use those before them only:
//!
//! 1. Vocabulary: [`mod@log`], [`mutant`], [`plan`], [`Promise`], `frames`.
//! 2. AWS: [`fifo`], `lambda`, `gateway`, `world` with the tables, `calls` to the gateway, `mapping` with the
//!    event sources.
//! 3. The services' `ports` and those of the hub (`hub_ports`), the `device`s, and the run of a simulation.
//! 4. The `endings` of what expires or is dropped, the `members` of the hub, [`check()`] and [`explore`].

mod calls;
mod check;
mod device;
mod endings;
mod explore;
pub mod fifo;
mod frames;
mod gateway;
mod hub_ports;
mod lambda;
pub mod log;
mod mapping;
mod members;
pub mod mutant;
pub mod plan;
mod ports;
mod promise;
mod run;
mod world;

pub use check::check;
pub use explore::{Exploration, Statistics, explore};
pub use promise::{Promise, Violation};
pub use run::{Finished, run, run_plan};
