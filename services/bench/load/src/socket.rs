//! A receiver's connection that costs next to nothing while it is idle and little while it is read: no buffer
//! of its own but for a frame that came in part.

use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout_at;

use crate::protocol::{Arrivals, Opcode, Protocol};

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;
/// No handshake's answer is longer.
const MAX_HEAD_BYTES: usize = 16 * 1024;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
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
                (TEXT | BINARY, true) => each(payload),
                (TEXT | BINARY | CONTINUATION, last) => {
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

/// How a receiver's connection is opened.
#[derive(Debug, Clone)]
pub struct Handshake {
    /// Host and port.
    pub host: String,
    /// The path and query asked for; plain TCP when there is none.
    pub path: Option<String>,
    /// The `Sec-WebSocket-Protocol` asked for.
    pub subprotocol: Option<&'static str>,
    /// The address to connect from, where one has too few ports.
    pub source: Option<IpAddr>,
    /// The size of the receive buffer; as the system will have it when not said.
    pub receive_buffer: Option<u32>,
}

impl Handshake {
    /// A WebSocket.
    pub fn websocket(host: &str, path: String) -> Self {
        Self { path: Some(path), ..Self::tcp(host) }
    }

    /// A plain TCP connection.
    pub fn tcp(host: &str) -> Self {
        Self { host: host.to_owned(), path: None, subprotocol: None, source: None, receive_buffer: None }
    }

    async fn connect(&self) -> anyhow::Result<TcpStream> {
        let unreachable = || format!("{} does not answer", self.host);
        let address = lookup_host(&self.host).await.with_context(unreachable)?.next();
        let address = address.with_context(unreachable)?;
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(source) = self.source {
            socket.bind((source, 0).into())?;
        }
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        let stream = socket.connect(address).await.with_context(unreachable)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Gives what came after the answer.
    async fn upgrade(&self, path: &str, stream: &mut TcpStream) -> anyhow::Result<Vec<u8>> {
        let subprotocol = self
            .subprotocol
            .map_or_else(String::new, |subprotocol| format!("sec-websocket-protocol: {subprotocol}\r\n"));
        // The key's only use is to show that the server speaks WebSocket, which it does.
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGlkaW5ncyBiZW5jaG1hcg==\r\n{subprotocol}\r\n",
            self.host
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
        Ok(answer.split_off(end + 4))
    }
}

/// An open connection of a receiver.
pub struct Socket {
    stream: TcpStream,
    /// Over WebSocket.
    cutter: Option<Cutter>,
    protocol: Box<dyn Protocol>,
    arrivals: Arrivals,
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl Socket {
    /// Connects, and waits until notifications will come.
    pub async fn open(
        handshake: &Handshake,
        protocol: Box<dyn Protocol>,
        arrivals: Arrivals,
    ) -> anyhow::Result<Self> {
        let mut stream = handshake.connect().await?;
        let (mut cutter, mut rest) = (None, Vec::new());
        if let Some(path) = &handshake.path {
            rest = handshake.upgrade(path, &mut stream).await?;
            cutter = Some(Cutter::default());
        }
        let mut socket = Self { stream, cutter, protocol, arrivals };
        let mut hello = Vec::new();
        socket.protocol.open(&mut hello);
        socket.send(&hello).await?;
        // What followed the answer at once.
        let mut wire = Vec::new();
        if socket.understand(&rest, &mut wire).is_break() {
            bail!("the server refused the connection");
        }
        socket.stream.write_all(&wire).await?;
        while !socket.protocol.is_open() {
            if socket.read().await?.is_break() {
                bail!("the server refused the connection");
            }
        }
        Ok(socket)
    }

    /// Reads and answers until the server ends the connection, or until `enough` says so.
    pub async fn run(mut self, mut enough: impl FnMut() -> bool) {
        loop {
            let flow = match self.protocol.due() {
                None => self.read().await,
                Some(due) => match timeout_at(due, self.read()).await {
                    Ok(flow) => flow,
                    Err(_) => self.tick().await,
                },
            };
            if !matches!(flow, Ok(ControlFlow::Continue(()))) {
                return self.arrivals.ended();
            }
            if enough() {
                return;
            }
        }
    }

    async fn tick(&mut self) -> io::Result<ControlFlow<()>> {
        let mut out = Vec::new();
        self.protocol.tick(&mut out);
        self.send(&out).await?;
        Ok(ControlFlow::Continue(()))
    }

    /// Waits for bytes and understands them. Breaks at the end.
    async fn read(&mut self) -> io::Result<ControlFlow<()>> {
        let mut wire = Vec::new();
        self.stream.readable().await?;
        let flow = SCRATCH.with_borrow_mut(|scratch| match self.stream.try_read(scratch) {
            Ok(0) => Ok(ControlFlow::Break(())),
            Ok(read) => Ok(self.understand(&scratch[..read], &mut wire)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(ControlFlow::Continue(())),
            Err(error) => Err(error),
        })?;
        if !wire.is_empty() {
            self.stream.write_all(&wire).await?;
        }
        Ok(flow)
    }

    fn understand(&mut self, bytes: &[u8], wire: &mut Vec<u8>) -> ControlFlow<()> {
        let Self { cutter, protocol, arrivals, .. } = self;
        let Some(cutter) = cutter else { return protocol.feed(bytes, arrivals, wire) };
        let opcode = opcode(protocol.opcode());
        let (mut out, mut ended) = (Vec::new(), ControlFlow::Continue(()));
        let flow = cutter.feed(bytes, |message| {
            if ended.is_continue() {
                ended = protocol.feed(message, arrivals, &mut out);
            }
            // A text frame is a message; what is binary is a stream, and goes in as few frames as can be.
            if opcode == TEXT && !out.is_empty() {
                mask(opcode, &out, wire);
                out.clear();
            }
        });
        if !out.is_empty() {
            mask(opcode, &out, wire);
        }
        if let Some(ping) = cutter.ping.take() {
            mask(PONG, &ping, wire);
        }
        if flow.is_break() { flow } else { ended }
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.cutter.is_none() {
            return self.stream.write_all(bytes).await;
        }
        let mut wire = Vec::with_capacity(bytes.len() + 14);
        mask(opcode(self.protocol.opcode()), bytes, &mut wire);
        self.stream.write_all(&wire).await
    }
}

const fn opcode(opcode: Opcode) -> u8 {
    match opcode {
        Opcode::Text => TEXT,
        Opcode::Binary => BINARY,
    }
}

/// Appends a client's frame. A mask of zeros is a mask, and leaves the payload as it is.
fn mask(opcode: u8, payload: &[u8], frame: &mut Vec<u8>) {
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
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A server's frame.
    fn frame(opcode: u8, last: bool, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        mask(opcode, payload, &mut frame);
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
