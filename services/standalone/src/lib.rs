//! Tidings in one process.

pub mod bench;
pub mod cli;
pub mod client;
