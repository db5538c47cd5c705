//! Tidings in one process.

pub mod storage;
pub mod workers;
