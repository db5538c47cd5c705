//! The command line: `tidings serve` and the commands for producers, listeners and operators.

pub mod bench;
mod child_server;
pub mod cli;
pub mod demo;
pub mod open_files;
