//! Loads on a server, and the metrics of what they cost.

pub(crate) mod offline;
pub(crate) mod online;
