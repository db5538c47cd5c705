//! The `tidings` program.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Each notification makes dozens of small allocations, which another thread than the allocating one frees.
/// mimalloc is fast at that.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    tidings::cli::main()
}
