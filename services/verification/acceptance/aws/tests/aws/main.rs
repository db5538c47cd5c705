//! End-to-end suites on an AWS endpoint: the functions' real binaries, used as producers and clients use
//! them.
//!
//! The tests share one endpoint, which is started for this process, and most of them one deployment, in which
//! each has users of its own. Tests that need the endpoint to themselves are in `tests/exclusive`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod archives;
mod compatibility;
mod dead_letters;
mod delivery;
mod permissions;
mod several_queues;
mod snippets;
mod support;
