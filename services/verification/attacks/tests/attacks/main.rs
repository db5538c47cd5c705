//! Attacks by one stranger, guest, client or key on a real server process, with others measured beside each.
//!
//! Each module is a topic. An attack takes a few seconds and its load has a bound. It starts a server of its own with
//! [`support::Server`], does its worst, and asserts three things: what the attacker is refused, that the server's
//! memory or disk stays within a bound, and that a [`support::Bystander`] is served meanwhile. No test asserts a speed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod acknowledgements;
mod addresses;
mod client_messages;
mod foreign_pages;
mod history;
mod hubs;
mod identities;
mod keys;
mod logins;
mod nesting;
mod security_log;
mod stalled_heads;
mod support;
mod tokens;
mod unknown_bodies;
mod unread_answers;
