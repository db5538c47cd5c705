//! A WebSocket that costs next to nothing while it is idle and little while it is read: no buffer of its
//! own but for a frame that came in part.

use std::cell::RefCell;
use std::io;
use std::ops::ControlFlow;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::http::Address;

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;
/// No handshake's answer is longer.
const MAX_HEAD_BYTES: usize = 16 * 1024;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

thread_local! {
    /// All sockets of the thread read into it: none keeps it across a wait.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// A frame's head.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    opcode: u8,
    last: bool,
    /// Where the payload starts.
    start: usize,
    /// Where the frame ends.
    end: usize,
}

/// The head of the frame at the front, once it is complete.
fn head(bytes: &[u8]) -> Option<Head> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    let (start, length) = match second & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
        // Longer than memory is no frame; it never completes.
        127 => (10, usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).ok()?),
        length => (2, usize::from(length)),
    };
    Some(Head { opcode: first & 0x0f, last: first & 0x80 != 0, start, end: start.checked_add(length)? })
}

/// Cuts a stream of bytes into messages.
#[derive(Default)]
struct Cutter {
    /// A frame that came in part.
    rest: Vec<u8>,
    /// A message whose frames came in part.
    message: Vec<u8>,
    /// The payload of a ping to be answered.
    ping: Option<Vec<u8>>,
}

impl Cutter {
    /// Calls `each` with every message that `bytes` completes; breaks at the end of the connection.
    fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) -> ControlFlow<()> {
        if self.rest.is_empty() {
            let used = self.cut(bytes, &mut each)?;
            self.rest.extend_from_slice(&bytes[used..]);
        } else {
            let mut all = std::mem::take(&mut self.rest);
            all.extend_from_slice(bytes);
            let used = self.cut(&all, &mut each)?;
            all.drain(..used);
            // Its memory is given back when it was one large frame.
            self.rest = if all.is_empty() { Vec::new() } else { all };
        }
        ControlFlow::Continue(())
    }

    fn cut(&mut self, bytes: &[u8], each: &mut impl FnMut(&[u8])) -> ControlFlow<(), usize> {
        let mut at = 0;
        while let Some(frame) = head(&bytes[at..]) {
            let Some(payload) = bytes[at..].get(frame.start..frame.end) else { break };
            match (frame.opcode, frame.last) {
                (CLOSE, _) => return ControlFlow::Break(()),
                (PING, _) => self.ping = Some(payload.to_vec()),
                (TEXT, true) => each(payload),
                (TEXT | CONTINUATION, last) => {
                    self.message.extend_from_slice(payload);
                    if last {
                        each(&std::mem::take(&mut self.message));
                    }
                }
                _ => {}
            }
            at += frame.end;
        }
        ControlFlow::Continue(at)
    }
}

/// An open WebSocket.
pub(super) struct Socket {
    stream: TcpStream,
    cutter: Cutter,
}

impl Socket {
    /// Makes the handshake. `query` says with what.
    pub(super) async fn open(address: &Address, query: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(&address.host).await;
        let mut stream = stream.with_context(|| format!("{} does not answer", address.host))?;
        stream.set_nodelay(true)?;
        // The key's only use is to show that the server speaks WebSocket, which it does.
        let request = format!(
            "GET {}/ws?{query} HTTP/1.1\r\nhost: {}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGlkaW5ncyBiZW5jaG1hcg==\r\n\r\n",
            address.prefix, address.host
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::with_capacity(512);
        let end = loop {
            if let Some(end) = memchr::memmem::find(&answer, b"\r\n\r\n") {
                break end;
            }
            if answer.len() > MAX_HEAD_BYTES || stream.read_buf(&mut answer).await? == 0 {
                bail!("the handshake was not answered");
            }
        };
        if !answer.starts_with(b"HTTP/1.1 101") {
            let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
            bail!("the handshake was refused: {}", String::from_utf8_lossy(line));
        }
        let mut cutter = Cutter::default();
        // What followed at once; it is cut with what comes next.
        cutter.rest.extend_from_slice(&answer[end + 4..]);
        Ok(Self { stream, cutter })
    }

    /// Waits for bytes and calls `each` with every message they complete. Breaks at the end.
    pub(super) async fn read(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<ControlFlow<()>> {
        let Self { stream, cutter } = self;
        if !cutter.rest.is_empty() && cutter.feed(&[], &mut each).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        stream.readable().await?;
        let flow = SCRATCH.with_borrow_mut(|scratch| match stream.try_read(scratch) {
            Ok(0) => Ok(ControlFlow::Break(())),
            Ok(read) => Ok(cutter.feed(&scratch[..read], &mut each)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(ControlFlow::Continue(())),
            Err(error) => Err(error),
        })?;
        if let Some(ping) = self.cutter.ping.take() {
            self.write(PONG, &ping).await?;
        }
        Ok(flow)
    }

    /// Sends a text frame.
    pub(super) async fn send(&mut self, text: &[u8]) -> io::Result<()> {
        self.write(TEXT, text).await
    }

    async fn write(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let frame = masked(opcode, payload);
        self.stream.write_all(&frame).await
    }
}

/// A client's frame. A mask of zeros is a mask, and leaves the payload as it is.
fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 14);
    frame.push(0x80 | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length), _) if length < 0x7e => frame.push(0x80 | length),
        (_, Ok(length)) => {
            frame.push(0xfe);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            frame.push(0xff);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A server's frame.
    fn frame(opcode: u8, last: bool, payload: &[u8]) -> Vec<u8> {
        let mut frame = masked(opcode, payload);
        frame[0] = opcode | if last { 0x80 } else { 0 };
        frame[1] &= 0x7f;
        let mask = frame.len() - payload.len() - 4;
        frame.drain(mask..mask + 4);
        frame
    }

    proptest! {
        #[test]
        fn messages_are_cut_from_bytes_however_they_come(
            sizes in prop::collection::vec((prop_oneof![0_usize..300, Just(70_000)], any::<bool>()), 1..6),
            cuts in prop::collection::vec(1_usize..50_000, 1..20),
        ) {
            let mut stream = Vec::new();
            let mut expected = Vec::new();
            for (index, (size, split)) in (0_u8..).zip(&sizes) {
                let message = vec![index; *size];
                if *split {
                    let (a, b) = message.split_at(size / 2);
                    stream.extend(frame(TEXT, false, a));
                    stream.extend(frame(PING, true, b"p"));
                    stream.extend(frame(CONTINUATION, true, b));
                } else {
                    stream.extend(frame(TEXT, true, &message));
                }
                expected.push(message);
            }
            let mut cutter = Cutter::default();
            let mut found = Vec::new();
            let mut left = &stream[..];
            for cut in cuts.iter().cycle() {
                if left.is_empty() {
                    break;
                }
                let (bytes, rest) = left.split_at((*cut).min(left.len()));
                prop_assert!(cutter.feed(bytes, |message| found.push(message.to_vec())).is_continue());
                left = rest;
            }
            prop_assert_eq!(found, expected);
            prop_assert!(cutter.rest.is_empty());
            prop_assert_eq!(cutter.ping.is_some(), sizes.iter().any(|(_, split)| *split));
            let end = cutter.feed(&frame(CLOSE, true, b""), |_| {});
            prop_assert!(end.is_break());
        }
    }
}
