//! A receiver's connection, over WebSocket or plain TCP.
//!
//! It is built to cost little, so that one thread can read for many thousands: all sockets of a thread read
//! into one buffer, and a socket keeps bytes only of a frame that has arrived in part.

use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout_at;

use crate::protocol::{ArrivalCounter, Opcode, Protocol};

/// Largest number of bytes in a read.
const READ_BYTES: usize = 64 * 1024;
/// Largest size of the answer to a handshake.
const MAX_HEAD_BYTES: usize = 16 * 1024;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

thread_local! {
    /// Read buffer of all sockets of the thread. No socket holds it across an await.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// The header of a WebSocket frame.
#[derive(Debug, PartialEq, Eq)]
struct FrameHeader {
    opcode: u8,
    last: bool,
    /// Offset of the payload.
    start: usize,
    /// Offset of the frame's end.
    end: usize,
}

/// Parses the header of the frame at the front. Returns `None` until it is complete.
fn frame_header(bytes: &[u8]) -> Option<FrameHeader> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    let (start, length) = match second & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
        // A length beyond the address space never completes.
        127 => (10, usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).ok()?),
        length => (2, usize::from(length)),
    };
    Some(FrameHeader {
        opcode: first & 0x0f,
        last: first & 0x80 != 0,
        start,
        end: start.checked_add(length)?,
    })
}

/// Splits a byte stream into WebSocket messages.
#[derive(Default)]
struct MessageDecoder {
    /// A frame that arrived in part.
    rest: Vec<u8>,
    /// A fragmented message that arrived in part.
    message: Vec<u8>,
    /// The payload of a ping to answer.
    ping: Option<Vec<u8>>,
}

impl MessageDecoder {
    /// Calls `each` with every message that `bytes` completes. Breaks at a close frame.
    fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) -> ControlFlow<()> {
        if self.rest.is_empty() {
            let used = self.decode(bytes, &mut each)?;
            self.rest.extend_from_slice(&bytes[used..]);
        } else {
            let mut all = std::mem::take(&mut self.rest);
            all.extend_from_slice(bytes);
            let used = self.decode(&all, &mut each)?;
            all.drain(..used);
            // Frees the memory of a large frame.
            self.rest = if all.is_empty() { Vec::new() } else { all };
        }
        ControlFlow::Continue(())
    }

    /// Decodes the complete frames at the front and returns their size.
    fn decode(&mut self, bytes: &[u8], each: &mut impl FnMut(&[u8])) -> ControlFlow<(), usize> {
        let mut at = 0;
        while let Some(frame) = frame_header(&bytes[at..]) {
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

/// Parameters for opening a receiver's connection.
#[derive(Debug, Clone)]
pub struct Handshake {
    /// Host and port.
    pub host: String,
    /// Path and query of the WebSocket. `None` opens plain TCP.
    pub path: Option<String>,
    /// The `Sec-WebSocket-Protocol` to ask for.
    pub subprotocol: Option<&'static str>,
    /// The address to connect from, for more connections than one address has ports.
    pub source: Option<IpAddr>,
    /// Size of the receive buffer in bytes. `None` leaves it to the system.
    pub receive_buffer: Option<u32>,
}

impl Handshake {
    /// Opens a WebSocket at this path.
    pub fn websocket(host: &str, path: String) -> Self {
        Self { path: Some(path), ..Self::tcp(host) }
    }

    /// Opens a plain TCP connection.
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

    /// Asks for the WebSocket and returns the bytes that followed the answer.
    async fn upgrade(&self, path: &str, stream: &mut TcpStream) -> anyhow::Result<Vec<u8>> {
        let subprotocol = self
            .subprotocol
            .map_or_else(String::new, |subprotocol| format!("sec-websocket-protocol: {subprotocol}\r\n"));
        // A constant key will do: the answer's proof that the server speaks WebSocket is not checked.
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
                bail!("the server did not answer the handshake");
            }
        };
        if !answer.starts_with(b"HTTP/1.1 101") {
            let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
            bail!("the server refused the handshake: {}", String::from_utf8_lossy(line));
        }
        Ok(answer.split_off(end + 4))
    }
}

/// An open connection of a receiver.
pub struct Socket {
    stream: TcpStream,
    /// Present on a WebSocket, absent on plain TCP.
    decoder: Option<MessageDecoder>,
    protocol: Box<dyn Protocol>,
    arrivals: ArrivalCounter,
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl Socket {
    /// Connects, and waits until the protocol is open.
    ///
    /// # Errors
    /// The server can't be reached or refuses the connection.
    pub async fn open(
        handshake: &Handshake,
        protocol: Box<dyn Protocol>,
        arrivals: ArrivalCounter,
    ) -> anyhow::Result<Self> {
        let mut stream = handshake.connect().await?;
        let (mut decoder, mut rest) = (None, Vec::new());
        if let Some(path) = &handshake.path {
            rest = handshake.upgrade(path, &mut stream).await?;
            decoder = Some(MessageDecoder::default());
        }
        let mut socket = Self { stream, decoder, protocol, arrivals };
        let mut hello = Vec::new();
        socket.protocol.open(&mut hello);
        socket.send(&hello).await?;
        let mut wire = Vec::new();
        if socket.receive(&rest, &mut wire).is_break() {
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

    /// Reads and answers until the server ends the connection or `should_leave` returns true.
    pub async fn run(mut self, mut should_leave: impl FnMut() -> bool) {
        loop {
            let flow = match self.protocol.due() {
                None => self.read().await,
                Some(due) => match timeout_at(due, self.read()).await {
                    Ok(flow) => flow,
                    Err(_) => self.tick().await,
                },
            };
            if !matches!(flow, Ok(ControlFlow::Continue(()))) {
                return self.arrivals.connection_lost();
            }
            if should_leave() {
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

    /// Waits for bytes, reads them and answers. Breaks at the end of the connection.
    async fn read(&mut self) -> io::Result<ControlFlow<()>> {
        let mut wire = Vec::new();
        self.stream.readable().await?;
        let flow = SCRATCH.with_borrow_mut(|scratch| match self.stream.try_read(scratch) {
            Ok(0) => Ok(ControlFlow::Break(())),
            Ok(read) => Ok(self.receive(&scratch[..read], &mut wire)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(ControlFlow::Continue(())),
            Err(error) => Err(error),
        })?;
        if !wire.is_empty() {
            self.stream.write_all(&wire).await?;
        }
        Ok(flow)
    }

    /// Passes received bytes to the protocol and appends the frames to send to `wire`.
    fn receive(&mut self, bytes: &[u8], wire: &mut Vec<u8>) -> ControlFlow<()> {
        let Self { decoder, protocol, arrivals, .. } = self;
        let Some(decoder) = decoder else { return protocol.feed(bytes, arrivals, wire) };
        let opcode = opcode(protocol.opcode());
        let (mut out, mut ended) = (Vec::new(), ControlFlow::Continue(()));
        let flow = decoder.feed(bytes, |message| {
            if ended.is_continue() {
                ended = protocol.feed(message, arrivals, &mut out);
            }
            // A text frame is one message. Binary protocols are streams, so their answers share a frame.
            if opcode == TEXT && !out.is_empty() {
                write_client_frame(opcode, &out, wire);
                out.clear();
            }
        });
        if !out.is_empty() {
            write_client_frame(opcode, &out, wire);
        }
        if let Some(ping) = decoder.ping.take() {
            write_client_frame(PONG, &ping, wire);
        }
        if flow.is_break() { flow } else { ended }
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.decoder.is_none() {
            return self.stream.write_all(bytes).await;
        }
        let mut wire = Vec::with_capacity(bytes.len() + 14);
        write_client_frame(opcode(self.protocol.opcode()), bytes, &mut wire);
        self.stream.write_all(&wire).await
    }
}

const fn opcode(opcode: Opcode) -> u8 {
    match opcode {
        Opcode::Text => TEXT,
        Opcode::Binary => BINARY,
    }
}

/// Appends a client's frame. Its mask is zero, which is valid and leaves the payload as it is.
fn write_client_frame(opcode: u8, payload: &[u8], frame: &mut Vec<u8>) {
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

    fn server_frame(opcode: u8, last: bool, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        write_client_frame(opcode, payload, &mut frame);
        frame[0] = opcode | if last { 0x80 } else { 0 };
        frame[1] &= 0x7f;
        let mask = frame.len() - payload.len() - 4;
        frame.drain(mask..mask + 4);
        frame
    }

    proptest! {
        #[test]
        fn messages_survive_any_split_of_the_stream(
            sizes in prop::collection::vec((prop_oneof![0_usize..300, Just(70_000)], any::<bool>()), 1..6),
            cuts in prop::collection::vec(1_usize..50_000, 1..20),
        ) {
            let mut stream = Vec::new();
            let mut expected = Vec::new();
            for (index, (size, split)) in (0_u8..).zip(&sizes) {
                let message = vec![index; *size];
                if *split {
                    let (a, b) = message.split_at(size / 2);
                    stream.extend(server_frame(TEXT, false, a));
                    stream.extend(server_frame(PING, true, b"p"));
                    stream.extend(server_frame(CONTINUATION, true, b));
                } else {
                    stream.extend(server_frame(TEXT, true, &message));
                }
                expected.push(message);
            }
            let mut decoder = MessageDecoder::default();
            let mut found = Vec::new();
            let mut left = &stream[..];
            for cut in cuts.iter().cycle() {
                if left.is_empty() {
                    break;
                }
                let (bytes, rest) = left.split_at((*cut).min(left.len()));
                prop_assert!(decoder.feed(bytes, |message| found.push(message.to_vec())).is_continue());
                left = rest;
            }
            prop_assert_eq!(found, expected);
            prop_assert!(decoder.rest.is_empty());
            prop_assert_eq!(decoder.ping.is_some(), sizes.iter().any(|(_, split)| *split));
            let end = decoder.feed(&server_frame(CLOSE, true, b""), |_| {});
            prop_assert!(end.is_break());
        }
    }
}
