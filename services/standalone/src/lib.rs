//! Tidings in one process.
