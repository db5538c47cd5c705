//! Tidings in one process.

pub mod config;
pub mod client;
pub mod identity;
pub mod storage;
pub mod connections;
pub mod intake;
pub mod server;
pub mod workers;
