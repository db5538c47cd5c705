//! Bytes that were read from a socket before the WebSocket parser asked for them.
//!
//! The parser keeps its buffer as long as the connection lasts, so it has a small one, and asks for little at a time. The
//! system is asked for more at once, into a buffer of the thread. What the parser has not taken of it is kept for the
//! connection, which is mostly nothing.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, ReadBuf};

/// Most bytes that are read at once, and so the most that a connection keeps whose messages wait.
const READ_BYTES: usize = 4 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// The bytes of one connection.
#[derive(Debug)]
pub(super) struct ReadAhead(Bytes);

impl ReadAhead {
    /// Begins with bytes that came with the handshake. They are copied: they may be a small part of a large buffer.
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(bytes))
    }

    /// Returns true if the next read asks the socket.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads into a buffer, from the bytes at hand or else from the socket. Returns the number of bytes: 0 at the end of the
    /// stream.
    pub(super) fn poll_read(
        &mut self,
        socket: Pin<&mut impl AsyncRead>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if !self.0.is_empty() {
            let count = self.0.len().min(into.len());
            self.0.copy_to_slice(&mut into[..count]);
            // An empty part of a buffer would keep all of it.
            if self.0.is_empty() {
                self.0 = Bytes::new();
            }
            return Poll::Ready(Ok(count));
        }
        BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            ready!(socket.poll_read(cx, &mut buffer))?;
            let read = buffer.filled();
            let count = read.len().min(into.len());
            into[..count].copy_from_slice(&read[..count]);
            self.0 = Bytes::copy_from_slice(&read[count..]);
            Poll::Ready(Ok(count))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn bytes_come_in_order_by_few_reads() {
        let bytes: Vec<u8> = (0..3 * READ_BYTES + 7).map(|n| n.to_le_bytes()[0]).collect();
        let (first, mut socket) = bytes.split_at(5);
        let mut ahead = ReadAhead::new(first);
        let mut cx = Context::from_waker(Waker::noop());
        let (mut found, mut reads, mut into) = (Vec::new(), 0, [0; 100]);
        loop {
            let before = socket.len();
            let Poll::Ready(Ok(count)) = ahead.poll_read(Pin::new(&mut socket), &mut cx, &mut into) else {
                panic!("a slice is always ready");
            };
            reads += usize::from(socket.len() < before);
            if count == 0 {
                break;
            }
            found.extend_from_slice(&into[..count]);
            assert!(ahead.0.len() < READ_BYTES);
        }
        assert_eq!((found, reads), (bytes, 4));
        assert!(ahead.0.is_empty());
    }
}
