//! The server's end of a socket, with a look at what goes through.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use contract_connections_v1::FrameFormat;
use contract_frames_v1::{Delivery, ServerFrame};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use crate::trace::What;
use crate::world::{World, connection_id, lock};

/// A socket that logs the frames it has taken as a whole.
pub(crate) struct Tap {
    pub(crate) socket: DuplexStream,
    pub(crate) world: Arc<World>,
    pub(crate) user: usize,
    pub(crate) connection: u32,
    pub(crate) format: FrameFormat,
    /// Bytes of frames not yet whole.
    pub(crate) bytes: Vec<u8>,
    /// The text of a message of several frames.
    pub(crate) text: Vec<u8>,
}

impl Tap {
    /// Takes whole frames from the front: a server's frames are not masked (RFC 6455, section 5.2).
    fn look(&mut self) {
        loop {
            let [first, second, rest @ ..] = self.bytes.as_slice() else { return };
            // The length, or how many bytes of it follow.
            let long = match second & 0x7f {
                126 => 2,
                127 => 8,
                _ => 0,
            };
            let Some(extended) = rest.get(..long) else { return };
            let len = match long {
                0 => usize::from(second & 0x7f),
                _ => extended.iter().fold(0, |len, byte| (len << 8) | usize::from(*byte)),
            };
            let Some(payload) = rest.get(long..).and_then(|rest| rest.get(..len)) else { return };
            let (is_final, opcode) = (first & 0x80 != 0, first & 0x0f);
            if opcode <= 1 {
                self.text.extend_from_slice(payload);
            }
            self.bytes.drain(..2 + long + len);
            if is_final && opcode <= 1 {
                let text = std::mem::take(&mut self.text);
                self.taken(&text);
            }
        }
    }

    fn taken(&self, text: &[u8]) {
        let connection = self.connection;
        let what = match std::str::from_utf8(text).ok().and_then(|text| items(&self.world, self.format, text))
        {
            Some(items) if items.is_empty() => return,
            Some(items) => What::Taken { connection, items },
            None => What::Garbled { connection },
        };
        *lock(&self.world.taken).entry(connection_id(connection)).or_default() += 1;
        self.world.log(Some(self.user), what);
    }
}

/// The notifications in a frame, and their sequences where the frame has them; nothing when they are not
/// what was sent.
pub(crate) fn items(world: &World, format: FrameFormat, text: &str) -> Option<Vec<(u32, Option<u64>)>> {
    if format == FrameFormat::Raw && !text.starts_with(r#"{"type""#) {
        let number = number(text)?;
        return (world.sent(number)?.payload.get() == text).then(|| vec![(number, None)]);
    }
    let item = |delivery: &Delivery| {
        let number = number(delivery.payload.get())?;
        let sent = world.sent(number)?;
        let same =
            sent.id == delivery.id && sent.payload == delivery.payload && sent.sent_at == delivery.sent_at;
        same.then_some((number, Some(u64::try_from(delivery.sequence.number()).ok()?)))
    };
    match ServerFrame::from_json(text).ok()? {
        ServerFrame::Notification(delivery) => Some(vec![item(&delivery)?]),
        ServerFrame::Notifications { items } => items.iter().map(item).collect(),
        _ => Some(Vec::new()),
    }
}

/// The number in a payload.
fn number(payload: &str) -> Option<u32> {
    payload.strip_prefix(r#"{"n":"#)?.split(',').next()?.parse().ok()
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, into)
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.socket).poll_write(cx, bytes))?;
        self.bytes.extend_from_slice(&bytes[..written]);
        self.look();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
