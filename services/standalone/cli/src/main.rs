//! The `tidings` program.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Every notification is some dozens of small allocations, made by one thread and freed by another.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    tidings::cli::main()
}
