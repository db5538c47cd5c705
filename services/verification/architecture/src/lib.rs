//! Reads how modules and folders of source code hang together, so that tests can hold them to the rules of the
//! architecture: [`modules`] finds circles between the modules of a crate, [`lines`] counts lines of source.
//!
//! The rules themselves are in `tests/`.

pub mod lines;
pub mod modules;
