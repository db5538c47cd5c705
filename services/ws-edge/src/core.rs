//! The edge's decisions, without IO or a clock: time, configuration and rows come in as arguments.

pub(crate) mod admission;
pub(crate) mod caller;
pub(crate) mod client_messages;
pub(crate) mod connection_limit;
pub(crate) mod frame;
pub(crate) mod hubs;
pub(crate) mod members;
pub(crate) mod names;
