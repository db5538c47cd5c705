//! The task of one socket: reads the client's messages and writes the frames of its send queue.
//!
//! Tungstenite reads. What it answers by itself, pongs and the close frame, it writes into a buffer of this module, which
//! goes out with the frames. So all bytes reach the socket by one path, buffers exist only while something is written,
//! and an idle connection has none but the reader's.

use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use contract_connections_v1::ConnectionId;
use contract_notifications_v1::Sequence;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::Registry;
use super::entry::{Entry, Peer};
use super::read_ahead::ReadAhead;
use super::send_queue::{End, Pong, with_scratch};
use super::tcp::SharedTcp;

/// Size of the parser's buffer, which every connection keeps: that of a usual message of a client. Larger ones come in
/// several parts from [`ReadAhead`].
const READ_BUFFER: usize = 128;

/// Reads of a socket, each of at most 4 KiB, before others have their turn. They may be thousands of the smallest frames.
const READS_AT_ONCE: u32 = 8;

/// Number of bytes of pongs that may wait before the task stops reading from the client.
const MAX_CONTROL: usize = 1024;

/// A message from a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientMessage {
    /// A text message.
    Text(Utf8Bytes),
    /// A binary message. No action uses one.
    Binary,
}

/// Answers the messages of one connection.
pub trait Session: Send {
    /// Acts on a message. The answer, if there is one, is sent as a text message. Messages are answered one after the
    /// other, and pushes continue meanwhile.
    fn message(&self, message: ClientMessage) -> Pin<Box<dyn Future<Output = Option<String>> + Send>>;

    /// Takes note that the client has these notifications, as its pong shows. It must not block.
    fn confirmed(&self, sequences: &[Sequence]);
}

/// A connection with a row, whose handshake is being answered. Dropping it ends the connection.
#[derive(Debug)]
pub struct Attachment {
    registry: Registry,
    entry: Arc<Entry>,
    counted: bool,
}

impl Registry {
    /// Claims a row just inserted for the socket that will open. Returns `None` if the row is gone.
    pub fn attach(&self, id: &ConnectionId) -> Option<Attachment> {
        let entry = self.0.table.by_id(id)?;
        Some(Attachment { registry: self.clone(), entry, counted: false })
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.registry.retire(&self.entry, End::Drop);
        if self.counted {
            self.registry.0.sockets.fetch_sub(1, Ordering::Relaxed);
            self.registry.0.socket_closed.notify_waiters();
        }
    }
}

impl Attachment {
    /// Lets pushes write to the socket directly. It must be the socket passed to [`Attachment::run`], without a layer
    /// such as TLS over it.
    pub fn write_directly(&self, socket: SharedTcp) {
        self.entry.send_queue.write_directly(socket);
    }

    /// Runs the socket until it is closed. `read_ahead` has the bytes read from it beyond the handshake. Dropping the future
    /// ends the connection.
    ///
    /// An idle connection keeps this future, so it is no `async fn`, which would have the arguments a second time.
    pub fn run<T, S>(
        mut self,
        socket: T,
        read_ahead: Bytes,
        peer: Peer,
        session: S,
    ) -> impl Future<Output = ()> + Send + use<T, S>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send,
        S: Session,
    {
        let limits = self.registry.limits();
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(limits.max_message_bytes))
            .max_frame_size(Some(limits.max_frame_bytes));
        self.registry.0.sockets.fetch_add(1, Ordering::Relaxed);
        self.counted = true;
        let now = self.registry.now();
        self.entry.heard(now);
        let _ = self.entry.peer.set(Box::new(peer));
        let ahead = ReadAhead::new(&read_ahead);
        drop(read_ahead);
        let context = WebSocketContext::new(Role::Server, Some(config));
        let driver = Driver {
            socket,
            ahead,
            session,
            context,
            control: Vec::new(),
            rest: Vec::new(),
            unflushed: false,
            answering: None,
            next: None,
            phase: Phase::Open,
        };
        let mut running = Running { driver, attachment: self };
        poll_fn(move |cx| running.poll(cx))
    }
}

/// The phase of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// The server's close frame is written, and the client's is awaited.
    Closing,
    /// The last frame is being written; then the socket is closed.
    Finishing,
    /// As [`Phase::Finishing`], but bytes that the client still sends are read and discarded: a socket closed with unread
    /// bytes is reset, and the client might not get the close frame.
    Discarding,
}

/// A socket with its place in the registry. The socket is closed first, because the registry tells when none is left.
struct Running<T, S> {
    driver: Driver<T, S>,
    attachment: Attachment,
}

impl<T: AsyncRead + AsyncWrite + Unpin, S: Session> Running<T, S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.driver.poll(&self.attachment, cx)
    }
}

/// The state of a socket's task.
struct Driver<T, S> {
    socket: T,
    ahead: ReadAhead,
    session: S,
    context: WebSocketContext,
    /// Bytes written by tungstenite: pongs and the close frame.
    control: Vec<u8>,
    /// Bytes of the last write that the socket has not taken.
    rest: Vec<u8>,
    unflushed: bool,
    answering: Option<Pin<Box<dyn Future<Output = Option<String>> + Send>>>,
    /// A message that waits until the one before it is answered. Reading goes on up to it, so that pings are answered
    /// meanwhile.
    next: Option<ClientMessage>,
    phase: Phase,
}

impl<T: AsyncRead + AsyncWrite + Unpin, S: Session> Driver<T, S> {
    fn poll(&mut self, attachment: &Attachment, cx: &mut Context<'_>) -> Poll<()> {
        let entry = &*attachment.entry;
        match entry.send_queue.watch(cx.waker()) {
            Some(End::Drop) => return Poll::Ready(()),
            Some(End::Close(code, reason) | End::ShutOut(code, reason)) if self.phase == Phase::Open => {
                self.close(code, reason);
            }
            None | Some(End::Close(..) | End::ShutOut(..)) => {}
        }
        let mut reads = READS_AT_ONCE;
        loop {
            let writing = self.poll_write(attachment, cx);
            if matches!(writing, Poll::Ready(Err(_))) {
                return Poll::Ready(());
            }
            if let Some(answer) = &mut self.answering
                && let Poll::Ready(answer) = answer.as_mut().poll(cx)
            {
                self.answering = None;
                if let Some(text) = answer {
                    let now = attachment.registry.now();
                    entry.send_queue.send(text.into(), now);
                }
                continue;
            }
            // As pushes do, answers wait until the client has taken what was sent before. So at most one answer is over
            // the limit.
            let limit = attachment.registry.limits().buffer_bytes;
            let is_full = writing.is_pending() && entry.send_queue.is_over(limit);
            if self.next.is_some() && entry.send_queue.is_shut_out() {
                self.next = None;
            }
            if !is_full
                && self.answering.is_none()
                && let Some(message) = self.next.take()
            {
                self.answering = Some(self.session.message(message));
                continue;
            }
            match self.phase {
                Phase::Finishing | Phase::Discarding if writing.is_pending() => return Poll::Pending,
                Phase::Finishing => return Pin::new(&mut self.socket).poll_shutdown(cx).map(drop),
                Phase::Discarding => {
                    if let Poll::Ready(Err(_)) = Pin::new(&mut self.socket).poll_shutdown(cx) {
                        return Poll::Ready(());
                    }
                    return self.poll_discard(cx);
                }
                Phase::Open | Phase::Closing => {}
            }
            if self.next.is_some() || is_full || self.control.len() > MAX_CONTROL {
                return Poll::Pending;
            }
            // A read may queue control frames and then find nothing more to read. They go out at once, unless the socket
            // takes nothing now.
            let reading = self.poll_read(attachment, &mut reads, cx);
            if reading.is_pending() && (self.control.is_empty() || writing.is_pending()) {
                return Poll::Pending;
            }
        }
    }

    /// Reads one message and starts to act on it. After so many `reads` of the socket it is pending, and wakes the task.
    fn poll_read(&mut self, attachment: &Attachment, reads: &mut u32, cx: &mut Context<'_>) -> Poll<()> {
        let Self { socket, ahead, session, context, control, .. } = self;
        let now = attachment.registry.now();
        let message = match context.read(&mut Io { socket, ahead, control, reads, cx }) {
            Ok(message) => message,
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            Err(error) => {
                self.fail(attachment, &error);
                return Poll::Ready(());
            }
        };
        if attachment.entry.send_queue.is_shut_out() {
            return Poll::Ready(());
        }
        attachment.entry.heard(now);
        let message = match message {
            Message::Text(text) => ClientMessage::Text(text),
            Message::Binary(_) => ClientMessage::Binary,
            Message::Pong(payload) => {
                if let Pong::Receipt(sequences) = attachment.entry.send_queue.pong(&payload, now)
                    && !sequences.is_empty()
                {
                    session.confirmed(&sequences);
                }
                return Poll::Ready(());
            }
            // Tungstenite answers pings and close frames. The next read reports the close.
            Message::Ping(_) | Message::Close(_) | Message::Frame(_) => return Poll::Ready(()),
        };
        attachment.entry.active(now);
        if self.answering.is_some() {
            self.next = Some(message);
        } else {
            self.answering = Some(session.message(message));
        }
        Poll::Ready(())
    }

    /// Handles the end of reading: a closed socket or a client's violation.
    fn fail(&mut self, attachment: &Attachment, error: &Error) {
        let (code, reason) = match error {
            Error::Capacity(CapacityError::MessageTooLong { .. }) => {
                (CloseCode::Size, "the message is too large")
            }
            Error::Utf8(_) => (CloseCode::Invalid, "the text is not UTF-8"),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
            | Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Io(_) => {
                self.phase = Phase::Finishing;
                let end = End::Close(CloseCode::Normal, "closed by the client");
                attachment.registry.retire(&attachment.entry, end);
                return;
            }
            _ => (CloseCode::Protocol, "the WebSocket protocol is violated"),
        };
        tracing::debug!(
            connection = %attachment.entry.row.connection_id,
            code = u16::from(code),
            reason,
            "closing"
        );
        if self.phase == Phase::Open {
            self.close(code, reason);
        }
        self.phase = Phase::Discarding;
        attachment.registry.retire(&attachment.entry, End::Close(code, reason));
    }

    /// Queues the server's close frame behind the bytes being written.
    fn close(&mut self, code: CloseCode, reason: &'static str) {
        self.phase = Phase::Closing;
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        // The buffer in memory takes every write.
        let _ = self.context.close(&mut Control(&mut self.control), Some(frame));
    }

    /// Writes all waiting bytes. Ready when none are left.
    fn poll_write(&mut self, attachment: &Attachment, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            while !self.rest.is_empty() {
                let written = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.rest))?;
                self.rest.drain(..written);
            }
            if self.unflushed {
                self.rest = Vec::new();
                ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
                self.unflushed = false;
                attachment.entry.send_queue.wrote(attachment.registry.now());
            }
            let wrote = with_scratch(|scratch| self.write_some(attachment, scratch, cx))?;
            if !wrote {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Coalesces frames in `scratch` and starts to write them. Returns false if there are none.
    fn write_some(
        &mut self,
        attachment: &Attachment,
        scratch: &mut Vec<u8>,
        cx: &mut Context<'_>,
    ) -> io::Result<bool> {
        let max_frame = attachment.registry.limits().max_frame_bytes;
        let is_open = self.phase == Phase::Open;
        let now = attachment.registry.now();
        let entry = &attachment.entry;
        if entry.send_queue.take(scratch, &mut self.control, max_frame, is_open, now) {
            attachment.registry.asked_for_receipt(entry);
        }
        // An idle connection does not keep this buffer.
        self.control = Vec::new();
        if scratch.is_empty() {
            return Ok(false);
        }
        self.unflushed = true;
        let written = match Pin::new(&mut self.socket).poll_write(cx, scratch) {
            Poll::Ready(written) => written?,
            Poll::Pending => 0,
        };
        self.rest.extend_from_slice(&scratch[written..]);
        Ok(true)
    }

    /// Reads and discards bytes until the client closes.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [0; 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
    }
}

/// The stream that tungstenite uses: it reads from the socket and writes into the buffer.
struct Io<'a, 'b, T> {
    socket: &'a mut T,
    ahead: &'a mut ReadAhead,
    control: &'a mut Vec<u8>,
    /// Reads of the socket that are left.
    reads: &'a mut u32,
    cx: &'a mut Context<'b>,
}

impl<T: AsyncRead + Unpin> Read for Io<'_, '_, T> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty() {
            let Some(left) = self.reads.checked_sub(1) else {
                self.cx.waker().wake_by_ref();
                return Err(io::ErrorKind::WouldBlock.into());
            };
            *self.reads = left;
        }
        match self.ahead.poll_read(Pin::new(&mut *self.socket), self.cx, into) {
            Poll::Ready(read) => read,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl<T> Write for Io<'_, '_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.control.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stream that tungstenite can only write to.
struct Control<'a>(&'a mut Vec<u8>);

impl Read for Control<'_> {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Write for Control<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
