//! Tidings in one process.

pub mod bench;
pub mod cli;
pub mod client;
pub mod config;
pub mod connections;
pub mod demo;
pub mod identity;
pub mod intake;
mod own_server;
pub mod server;
pub mod storage;
pub mod workers;
