//! Simulations of the services on AWS: every promise holds, and defects are found.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod mutants;
mod seeds;
mod stories;
