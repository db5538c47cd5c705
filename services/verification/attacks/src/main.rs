//! The `tidings` program, built with the attacks so that they can start a server of their own.

use std::process::ExitCode;

fn main() -> ExitCode {
    tidings::cli::main()
}
