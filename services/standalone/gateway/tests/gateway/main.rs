//! The gateway: its HTTP surface and connections over real sockets, its workers over a real store, and the conformance
//! suites of the ports it implements.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod console;
mod cors;
mod end_to_end;
mod handshakes;
mod history;
mod history_over_http;
mod hubs_conformance;
mod inspection;
mod keys;
mod lifecycle;
mod management;
mod own_pages;
mod producer;
mod proxies;
mod quotas;
mod reference;
mod replays;
mod revocations;
mod rfc6455;
mod rfc6455_cases;
mod rfc6455_handshakes;
mod store_support;
mod test_server;
mod user_ids;
mod websocket;
mod whole_server;
