//! Tidings in one process: the four services on embedded storage, the HTTP surface they are reached by,
//! and the command line.

pub mod app;
pub mod bench;
pub mod cli;
pub mod client;
pub mod config;
pub mod connections;
pub mod demo;
pub mod figures;
pub mod following;
pub mod history;
pub mod hubs;
pub mod identity;
pub mod life;
pub mod open_files;
pub mod own_server;
pub mod rates;
pub mod runtime;
pub mod server;
pub mod storage;
pub mod workers;
