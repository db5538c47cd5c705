//! Documented clients of other gateways, and the scenarios in which they are used. Only for tests.
//!
//! Each scenario module covers one other gateway, named in its first line. The same scenario runs against the
//! standalone server and against a deployment on AWS: it gets the gateway's addresses and the secrets that
//! the gateway accepts.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]
#![allow(clippy::missing_panics_doc, reason = "a test reports by panicking")]

pub mod chat;
mod client;
pub mod cognito;
pub mod connections;
mod gateway;
pub mod hub;
mod issuer;
mod jwt;
mod line_program;
pub mod messaging;
mod signed_client;
mod timeout;
mod tools;
mod unique;

pub use client::Client;
pub use gateway::Gateway;
pub use issuer::Issuer;
pub use jwt::hs256;
pub use signed_client::SignedClient;
pub use timeout::TIMEOUT;
pub use tools::{aws_cli, node_clients, python, websocat};
pub use unique::unique;
