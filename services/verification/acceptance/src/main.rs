//! The `tidings` program, built with the end-to-end suites so that they can start and kill it.

use std::process::ExitCode;

fn main() -> ExitCode {
    tidings::cli::main()
}
