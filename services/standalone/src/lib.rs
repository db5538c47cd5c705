//! Tidings in one process.

pub mod client;
