//! Tests of the program as it runs in a terminal, and of its benchmarks.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod bench;
mod commands;
mod demo;
mod keys;
mod listen;
mod reference;
mod security_log;
mod server;
mod stack_dead_letters;
mod tls;
mod usage;
