//! Tidings in one process.

pub mod client;
pub mod identity;
pub mod storage;
