//! One run: the consecutive entries of one user, decided by a state machine.
//!
//! [`Run::start`] returns the first [`Command`]. The caller carries it out and passes the answer, an
//! [`Event`], to [`Run::on`], which returns the next command, until [`Command::Finish`]. The machine has no
//! clock and no IO, and is `Clone + Eq + Hash`, so that a model checker can explore it. Comments name the
//! rules R1 to R6 of docs/explanation/delivery.md where the machine follows them.

mod state;
mod symmetry;
mod types;

pub use state::Run;
pub use types::{
    Command, Entry, Event, Frame, FrameItem, HeldItem, Item, Limits, OpenConnection, Outcome, PushReport,
    PushRequest, Refusal, Report, SetAside, Stats,
};

#[cfg(test)]
mod tests;
