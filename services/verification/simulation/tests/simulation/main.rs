//! Tests of the simulation: seeds keep every promise and repeat exactly, and every mutant is found.
//!
//! They run thousands of simulations: use `cargo test --profile verify -p verification-simulation`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod mutants;
mod seeds;
