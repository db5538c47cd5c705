//! Tests of the model: the promises hold in small scopes, and every rule is needed for one of them.
//!
//! They take millions of steps: run them with `cargo test --profile verify -p verification-model`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod mutants;
mod promises;
mod regressions;
mod several_queues;
