//! The protocols of the other servers, as far as the benchmark needs them.
//!
//! They are implemented here because ordinary clients are too slow: one thread reads for a thousand
//! receivers, faster than any of the servers sends, and an ordinary client does much more with a message than
//! count it.

mod buffer;
pub(crate) mod centrifugo;
pub(crate) mod jetstream;
pub(crate) mod mqtt;
pub(crate) mod nats;
pub(crate) mod nchan;
pub(crate) mod pipeline;
