//! The peers' protocols, as much of them as is needed.
//!
//! They are written here and not taken from clients: one thread has to read for a thousand receivers faster than
//! any of the servers sends, and a client does much more with each message than to count it.

pub(crate) mod mqtt;
pub(crate) mod nats;
pub(crate) mod pipe;

/// Gives `understand` the bytes of a stream; it says how many it used, and the rest comes again with the next.
pub(crate) fn feed(rest: &mut Vec<u8>, bytes: &[u8], understand: impl FnOnce(&[u8]) -> usize) {
    if rest.is_empty() {
        let used = understand(bytes);
        rest.extend_from_slice(&bytes[used..]);
    } else {
        rest.extend_from_slice(bytes);
        let used = understand(rest);
        rest.drain(..used);
    }
}
