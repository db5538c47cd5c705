//! Tidings in one process.

pub mod storage;
