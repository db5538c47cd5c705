//! The command line: `tidings serve` and the commands for producers, listeners and operators.

pub mod bench;
pub mod cli;
pub mod demo;
pub mod open_files;
pub mod own_server;
