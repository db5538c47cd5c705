//! Tidings in one process.

pub mod identity;
