//! Reads the structure of the source code, for the tests that enforce the rules of the architecture:
//! [`modules`] finds circular dependencies between the modules of a crate, and [`lines`] counts lines of
//! source.
//!
//! The rules themselves are in `tests/workspace`.

pub mod lines;
pub mod modules;
