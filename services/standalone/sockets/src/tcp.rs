//! A TCP socket that the connection's task and pushes share.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, Shutdown};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// A TCP socket. Clones share it, and it is closed when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct SharedTcp(Arc<TcpStream>);

impl SharedTcp {
    /// Shares a socket.
    pub fn new(socket: TcpStream) -> Self {
        Self(Arc::new(socket))
    }

    /// Writes as many bytes as the system takes without waiting, and returns their number.
    pub(super) fn write_now(&self, bytes: &[u8]) -> usize {
        // The connection's task sees an error too, because it reads.
        self.0.try_write(bytes).unwrap_or(0)
    }
}

impl SharedTcp {
    /// Reads what has arrived, without waiting. A read that does not fill the buffer has emptied the socket (epoll(7), "Do
    /// I need to continuously read"), so the next one waits, without asking the system first.
    fn read_now(&self, into: &mut ReadBuf<'_>) -> io::Result<()> {
        let mut read = None;
        let attempt = self.0.try_io(Interest::READABLE, || {
            let bytes = into.initialize_unfilled();
            let room = bytes.len();
            let (_, count) = rustix::net::recv(&*self.0, bytes, RecvFlags::empty())?;
            if count == 0 || count == room {
                return Ok(count);
            }
            read = Some(count);
            Err(io::ErrorKind::WouldBlock.into())
        });
        into.advance(match (read, attempt) {
            (Some(count), _) => count,
            (None, attempt) => attempt?,
        });
        Ok(())
    }
}

/// Repeats an attempt whenever the socket is ready, until it does not report `WouldBlock`.
macro_rules! when_ready {
    ($socket:expr, $poll_ready:ident, $cx:expr, $attempt:expr) => {
        loop {
            ready!($socket.0.$poll_ready($cx))?;
            match $attempt {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    };
}

impl AsyncRead for SharedTcp {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        when_ready!(self, poll_read_ready, cx, self.read_now(into))
    }
}

impl AsyncWrite for SharedTcp {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        when_ready!(self, poll_write_ready, cx, self.0.try_write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match rustix::net::shutdown(&*self.0, Shutdown::Write) {
            // The client has closed it already.
            Ok(()) | Err(rustix::io::Errno::NOTCONN) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }
}
