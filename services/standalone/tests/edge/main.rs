//! Connections and the HTTP surface over real sockets, with everything behind them faked; and handshakes with
//! nothing faked.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod handshakes;
mod history;
mod inspection;
mod lifecycle;
mod management;
mod producer;
mod registry;
mod support;
mod websocket;
