//! Documented clients of other gateways, as their documents have them, and the stories they are played in. A story
//! is the same whatever the gateway runs on: it is told where the gateway is and by which secrets it lets clients
//! in. Only for tests.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]
#![allow(clippy::missing_panics_doc, reason = "a test reports by panicking")]

pub mod chat;
pub mod cognito;
pub mod connections;
mod gateway;
pub mod hub;
mod issuer;
mod jwt;
mod lines;
pub mod messaging;
mod signed;
mod socket;
mod tools;

use std::time::Duration;

pub use gateway::Gateway;
pub use issuer::Issuer;
pub use jwt::hs256;
pub use signed::SignedClient;
pub use socket::Client;
pub use tools::{aws_cli, python};

/// How long anything may take before a test gives up. No test is right or wrong by it.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// A name that no other story has, for stories share gateways.
pub fn unique(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4().simple())
}
