//! The server's end of a socket, which records the frames that pass.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use contract_connections_v1::FrameFormat;
use contract_frames_v1::{Delivery, ServerFrame};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use crate::simulation::{Simulation, connection_id, lock};
use crate::trace::EventKind;

/// A socket that logs every whole frame it takes.
pub(crate) struct RecordingSocket {
    pub(crate) socket: DuplexStream,
    pub(crate) sim: Arc<Simulation>,
    pub(crate) user: usize,
    pub(crate) connection: u32,
    pub(crate) format: FrameFormat,
    /// Bytes of an incomplete frame.
    pub(crate) bytes: Vec<u8>,
    /// Text of an incomplete message of several frames.
    pub(crate) text: Vec<u8>,
}

impl RecordingSocket {
    /// Takes whole frames from the front of the bytes. A server's frames are not masked (RFC 6455, section
    /// 5.2).
    fn take_frames(&mut self) {
        loop {
            let [first, second, rest @ ..] = self.bytes.as_slice() else { return };
            // The length, or the number of bytes that have it.
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
                self.log_message(&text);
            }
        }
    }

    fn log_message(&self, text: &[u8]) {
        let connection = self.connection;
        let text = std::str::from_utf8(text).ok();
        let kind = match text.and_then(|text| items(&self.sim, self.format, text)) {
            Some(items) if items.is_empty() => return,
            Some(items) => EventKind::FrameSent { connection, items },
            None => EventKind::WrongFrame { connection },
        };
        *lock(&self.sim.frames_sent).entry(connection_id(connection)).or_default() += 1;
        self.sim.log(Some(self.user), kind);
    }
}

/// The notifications in a frame, with their sequences unless the frame is raw. `None` if one differs from
/// what was submitted.
pub(crate) fn items(sim: &Simulation, format: FrameFormat, text: &str) -> Option<Vec<(u32, Option<u64>)>> {
    if format == FrameFormat::Raw && !text.starts_with(r#"{"type""#) {
        let number = number(text)?;
        return (sim.submitted(number)?.payload.get() == text).then(|| vec![(number, None)]);
    }
    let item = |delivery: &Delivery| {
        let number = number(delivery.payload.get())?;
        let submitted = sim.submitted(number)?;
        let is_same = submitted.id == delivery.id
            && submitted.payload == delivery.payload
            && submitted.sent_at == delivery.sent_at;
        is_same.then_some((number, Some(u64::try_from(delivery.sequence.number()).ok()?)))
    };
    match ServerFrame::from_json(text).ok()? {
        ServerFrame::Notification(delivery) => Some(vec![item(&delivery)?]),
        ServerFrame::Notifications { items } => items.iter().map(item).collect(),
        _ => Some(Vec::new()),
    }
}

/// The notification's number in its payload.
fn number(payload: &str) -> Option<u32> {
    payload.strip_prefix(r#"{"n":"#)?.split(',').next()?.parse().ok()
}

impl AsyncRead for RecordingSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, into)
    }
}

impl AsyncWrite for RecordingSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.socket).poll_write(cx, bytes))?;
        self.bytes.extend_from_slice(&bytes[..written]);
        self.take_frames();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
