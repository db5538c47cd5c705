//! End-to-end suites over real sockets and a real server process, and checks of the documents.
//!
//! Every test starts a server of its own on a directory of its own, so all of them run side by side in one
//! process. [`support`] has the server process and the helpers that the suites share.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod client_actions;
mod compatibility;
mod connect_token;
mod crash;
mod delivery;
mod disk_full;
mod documents;
mod earlier_data;
mod known_defects;
mod proxies;
mod real_clients;
mod refused_handshakes;
mod snippets;
mod support;
mod unfinished_handshakes;
