//! The program as it is run from a terminal, and its benchmarks.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod bench;
mod commands;
mod demo;
