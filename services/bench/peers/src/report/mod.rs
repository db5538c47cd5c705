//! Results as people read them.

pub(crate) mod figures;
pub(crate) mod page;
pub(crate) mod plots;
pub(crate) mod targets;
