//! Tidings in one process.

pub mod config;
pub mod bench;
pub mod cli;
pub mod client;
pub mod connections;
pub mod demo;
pub mod identity;
pub mod intake;
mod own_server;
pub mod server;
pub mod workers;
pub mod storage;
