//! The decisions, without IO: how a connection is admitted, and what a client's frame asks for.

pub(crate) mod admission;
pub(crate) mod frame;
