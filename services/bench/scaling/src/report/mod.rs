//! Results as people read them.

pub(crate) mod figures;
pub(crate) mod found;
pub(crate) mod page;
pub(crate) mod plots;
