//! Tests of the issuer and the authorizer over ports in memory.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod attacks;
mod connect_token;
mod methods;
mod revocations;
mod support;
