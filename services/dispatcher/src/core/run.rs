//! One run: the consecutive entries of one user, decided by a state machine.
//!
//! Commands go out, events come in, one at a time; there is no clock and no IO, and the machine is
//! `Clone + Eq + Hash`, so a model checker can explore it. The rules R1 to R6 are those of
//! docs/explanation/delivery.md; each is named where it is obeyed.

mod renamed;
mod state;
mod types;

pub use state::Run;
pub use types::{
    Command, Entry, Event, Frame, FrameItem, Held, Item, Limits, Live, Outcome, PushOrder, PushReport,
    Refusal, Report, Stats,
};

#[cfg(test)]
pub(crate) mod tests;
