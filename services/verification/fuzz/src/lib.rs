//! Fuzz targets: functions that check one input each, whatever its bytes.
//!
//! A target fails by panicking, if a property does not hold for its input. [`targets::ALL`] lists them.
//! `scripts/fuzz` runs them under libFuzzer, which looks for new inputs by coverage; the programs for that
//! are in `libfuzzer`, a workspace of its own. Inputs worth keeping are in `corpus`, one folder for each
//! target, and a plain test of this crate replays all of them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a target reports by panicking")]
#![allow(clippy::missing_panics_doc, reason = "a target reports by panicking")]

mod any_notification;
mod input;
mod text;

pub mod targets;

pub use input::Verdict;
