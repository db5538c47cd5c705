//! Tidings in one process.

pub mod connections;
pub mod intake;
pub mod server;
