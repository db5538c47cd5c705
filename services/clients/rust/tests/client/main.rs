//! Tests of the client against gateways that misbehave on purpose.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod gateway;
mod listener;
