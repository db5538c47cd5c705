//! Tidings in one process.

pub mod config;
pub mod connections;
pub mod intake;
pub mod server;
