//! What measuring programs have in common: the process of a server, Tidings as one, figures and their spread, the
//! machine, and how all of it is written down.

#![allow(clippy::cast_precision_loss, reason = "measurements are never near 2^52")]

pub mod figures;
pub mod limits;
pub mod machine;
pub mod number;
pub mod plot;
pub mod process;
pub mod program;
pub mod spread;
pub mod tidings;

pub use figures::{Entry, Figures};
pub use machine::Machine;
pub use number::number;
pub use plot::Plot;
pub use process::{Process, Ready};
pub use spread::Spread;
