//! Tidings in one process.

pub mod bench;
pub mod cli;
pub mod client;
pub mod identity;
pub mod storage;
pub mod connections;
pub mod intake;
pub mod server;
