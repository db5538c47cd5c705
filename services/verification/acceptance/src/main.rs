//! The `tidings` program, built with the end-to-end suites so that they can start it, kill it and start it
//! again.

use std::process::ExitCode;

fn main() -> ExitCode {
    tidings::cli::main()
}
