//! The part of a byte stream that has arrived and is not decoded yet.

/// Bytes of an incomplete packet, kept until the rest arrives.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    rest: Vec<u8>,
}

impl Buffer {
    /// Passes all bytes that are not decoded yet to `decode`, which returns how many it has decoded.
    ///
    /// Bytes are copied only if a packet is incomplete.
    pub(super) fn feed(&mut self, bytes: &[u8], decode: impl FnOnce(&[u8]) -> usize) {
        if self.rest.is_empty() {
            let used = decode(bytes);
            self.rest.extend_from_slice(&bytes[used..]);
        } else {
            self.rest.extend_from_slice(bytes);
            let used = decode(&self.rest);
            self.rest.drain(..used);
        }
    }
}
