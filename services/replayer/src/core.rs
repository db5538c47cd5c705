//! The replayer's decisions, without IO.

pub(crate) mod limits;
pub(crate) mod machine;
