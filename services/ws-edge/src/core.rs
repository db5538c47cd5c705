//! The decisions, without IO: how a connection is admitted, which hubs it is in, what a client's frame asks
//! for, what clients send to each other, and who is told who else is there.

pub(crate) mod admission;
pub(crate) mod crowd;
pub(crate) mod frame;
pub(crate) mod hubs;
pub(crate) mod members;
pub(crate) mod sending;
