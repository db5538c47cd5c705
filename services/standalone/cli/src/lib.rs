//! The command line: `tidings serve` and the commands for producers, listeners and operators.

mod aws;
pub mod bench;
mod child_server;
pub mod cli;
pub mod demo;
mod hidden_secrets;
pub mod open_files;
pub mod private_files;
