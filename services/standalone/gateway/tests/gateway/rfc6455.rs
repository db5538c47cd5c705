//! The cases of RFC 6455, byte by byte over real sockets: what a client sends, and what it must get.
//!
//! Every case runs in the clear and over TLS, and short ones also with every byte in a packet of its own.
//! `cargo test -p tidings-gateway rfc6455 -- --nocapture` prints the tables.

use std::fmt::Write as _;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::rfc6455_cases::{Answer, Case, PING, cases, frame};
use crate::rfc6455_handshakes::{Handshake, handshakes};
use crate::test_server::{TestServer, start, start_with_tls, within};

/// Number of bytes up to which a case is also sent byte by byte.
const SHORT: usize = 400;

trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Socket for T {}

/// Opens connections to a server, with TLS if there is a connector.
struct Dialer {
    server: TestServer,
    tls: Option<TlsConnector>,
}

impl Dialer {
    async fn dial(&self) -> Box<dyn Socket> {
        let socket = TcpStream::connect(self.server.address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        match &self.tls {
            Some(tls) => {
                let name = ServerName::try_from("localhost").unwrap();
                Box::new(tls.connect(name, socket).await.unwrap())
            }
            None => Box::new(socket),
        }
    }

    /// Opens a WebSocket.
    async fn open(&self) -> Box<dyn Socket> {
        let mut socket = self.dial().await;
        let request = "GET /ws?client_id=raw HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        socket.write_all(request.as_bytes()).await.unwrap();
        let head = read_head(&mut socket).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        socket
    }
}

/// Reads the head of an answer.
async fn read_head(socket: &mut (impl AsyncRead + Unpin + ?Sized)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Sends bytes in one piece, or each in a packet of its own. The server may have closed the connection before the end.
async fn send(socket: &mut (impl AsyncWrite + Unpin + ?Sized), bytes: &[u8], one_by_one: bool) {
    for piece in bytes.chunks(if one_by_one { 1 } else { bytes.len().max(1) }) {
        let _ = socket.write_all(piece).await;
        let _ = socket.flush().await;
        tokio::task::yield_now().await;
    }
}

/// Reads one frame. Returns `None` at the end of the connection.
async fn read_frame(socket: &mut (impl AsyncRead + Unpin + ?Sized)) -> Option<(u8, Vec<u8>)> {
    let first = match socket.read_u8().await {
        Ok(first) => first,
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return None,
        Err(error) => panic!("{error}"),
    };
    let len = match socket.read_u8().await.unwrap() {
        126 => usize::from(socket.read_u16().await.unwrap()),
        127 => usize::try_from(socket.read_u64().await.unwrap()).unwrap(),
        masked @ 128.. => panic!("a server's frame is masked: {masked:x}"),
        short => usize::from(short),
    };
    let mut payload = vec![0; len];
    socket.read_exact(&mut payload).await.unwrap();
    Some((first, payload))
}

/// Returns true if a frame is the expected one.
fn is_expected(answer: &Answer, (first, payload): &(u8, Vec<u8>)) -> bool {
    match answer {
        Answer::Pong(expected) => (*first, payload) == (0x8a, expected),
        Answer::Text(part) => *first == 0x81 && String::from_utf8_lossy(payload).contains(part),
        Answer::Close(expected) => (*first, payload) == (0x88, expected),
        Answer::Fail(code) => *first == 0x88 && payload.starts_with(&code.to_be_bytes()),
    }
}

/// The payload of the ping that shows that nothing more came.
const END: &[u8] = b"end of the case";

/// Runs a case and returns what is wrong.
async fn run(case: &Case, dialer: &Dialer, one_by_one: bool) -> Result<(), String> {
    let mut socket = dialer.open().await;
    let ends = matches!(case.answers.last(), Some(Answer::Close(_) | Answer::Fail(_)));
    let mut sent = case.sent.clone();
    if !ends {
        sent.extend(frame(PING, END));
    }
    send(&mut *socket, &sent, one_by_one).await;
    let mut got = Vec::new();
    while let Some(frame) = read_frame(&mut *socket).await {
        if frame == (0x8a, END.to_vec()) {
            break;
        }
        got.push(frame);
    }
    let same = got.len() == case.answers.len()
        && case.answers.iter().zip(&got).all(|(answer, got)| is_expected(answer, got));
    if same { Ok(()) } else { Err(format!("{}: expected {:?}, got {got:x?}", case.name, case.answers)) }
}

/// Runs a case in all ways. A case that never ends is one that fails.
async fn run_all(case: &Case, dialers: &[Dialer]) -> Result<(), String> {
    for dialer in dialers {
        for one_by_one in [false, true] {
            if one_by_one && case.sent.len() > SHORT {
                continue;
            }
            let way = format!("TLS {}, one by one {one_by_one}", dialer.tls.is_some());
            // A connection that breaks panics, which is a failure of this case alone.
            let run = std::panic::AssertUnwindSafe(run(case, dialer, one_by_one));
            let ran = tokio::time::timeout(
                std::time::Duration::from_secs(20),
                futures_util::FutureExt::catch_unwind(run),
            )
            .await;
            match ran {
                Ok(Ok(result)) => result.map_err(|error| format!("{error} ({way})"))?,
                Ok(Err(_)) => return Err(format!("{}: the connection breaks ({way})", case.name)),
                Err(_) => return Err(format!("{}: no answer ({way})", case.name)),
            }
        }
    }
    Ok(())
}

/// Bytes as in a dump, shortened.
fn dump(bytes: &[u8]) -> String {
    const SHOWN: usize = 16;
    let mut text = String::new();
    for byte in bytes.iter().take(SHOWN) {
        write!(text, "{byte:02x} ").unwrap();
    }
    match bytes.len().checked_sub(SHOWN) {
        None | Some(0) => text.trim_end().to_owned(),
        Some(more) => format!("{text}… ({more} more)"),
    }
}

#[tokio::test]
async fn every_frame_of_rfc6455_is_answered_as_expected() {
    let (server, tls) = start_with_tls();
    let dialers = [Dialer { server: start(), tls: None }, Dialer { server, tls: Some(tls) }];
    println!("| § | case | sent | answer |\n|---|---|---|---|");
    let mut failed = Vec::new();
    for case in cases() {
        let answers: Vec<_> = case.answers.iter().map(ToString::to_string).collect();
        let answers = if answers.is_empty() { "nothing".to_owned() } else { answers.join(", ") };
        println!("| {} | {} | `{}` | {answers} |", case.section, case.name, dump(&case.sent));
        failed.extend(run_all(&case, &dialers).await.err());
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}

/// Runs a handshake and returns what is wrong.
async fn shake(handshake: &Handshake, dialer: &Dialer, one_by_one: bool) -> Result<(), String> {
    let mut socket = dialer.dial().await;
    send(&mut *socket, handshake.request.as_bytes(), one_by_one).await;
    let head = read_head(&mut *socket).await;
    let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
    let lower = head.to_ascii_lowercase();
    let has_all = handshake.head.iter().all(|part| lower.contains(part));
    let extends = lower.contains("sec-websocket-extensions");
    if status != handshake.status || !has_all || extends {
        return Err(format!("{}: expected {handshake:?}, got {head}", handshake.name));
    }
    if status == 101 {
        send(&mut *socket, &frame(PING, END), false).await;
        let answer = read_frame(&mut *socket).await;
        if answer != Some((0x8a, END.to_vec())) {
            return Err(format!("{}: the connection does not work: {answer:?}", handshake.name));
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_handshake_of_rfc6455_is_answered_as_expected() {
    let dialer = Dialer { server: start(), tls: None };
    println!("| § | handshake | status |\n|---|---|---|");
    let mut failed = Vec::new();
    for handshake in handshakes() {
        println!("| {} | {} | {} |", handshake.section, handshake.name, handshake.status);
        for one_by_one in [false, true] {
            if let Err(error) = within(shake(&handshake, &dialer, one_by_one)).await {
                failed.push(error);
                break;
            }
        }
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}
