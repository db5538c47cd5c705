//! Control frames, byte by byte: what a client sends, and what it gets at once.

use std::future::pending;
use std::pin::Pin;

use bytes::Bytes;
use contract_connections_v1::ConnectionId;
use contract_notifications_v1::Sequence;
use tidings_sockets::{ClientMessage, Limits, Registry, Session, SharedTcp};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use ws_edge::ports::Connections as _;

use crate::registry::{peer, registry, row, within};

/// Never answers a text message.
struct Stalled;

impl Session for Stalled {
    fn message(&self, _: ClientMessage) -> Pin<Box<dyn Future<Output = Option<String>> + Send>> {
        Box::pin(pending())
    }

    fn confirmed(&self, _: &[Sequence]) {}
}

/// Returns a client's frame with a payload of less than 126 bytes, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(payload.len()).unwrap();
    [&[first, 0x80 | len, 0, 0, 0, 0], payload].concat()
}

const TEXT_BEGINS: u8 = 0x01;
const CONTINUATION: u8 = 0x00;
const PING: u8 = 0x89;
const TEXT: u8 = 0x81;

async fn expect(socket: &mut (impl AsyncRead + Unpin), expected: &[u8]) {
    let mut read = vec![0; expected.len()];
    within(socket.read_exact(&mut read)).await.unwrap();
    assert_eq!(read, expected);
}

/// Runs `client` on a socket in memory, and on one over TCP, to which pushes write directly.
async fn on_both(client: impl AsyncFn(&Registry, Box<dyn Socket>)) {
    let id = ConnectionId::new("a");
    let (registry, _inserted) = registry(Limits::default());
    registry.put(&row("jo", "a", 1_000_000)).await.unwrap();
    let (ours, theirs) = tokio::io::duplex(1024);
    tokio::spawn(registry.attach(&id).unwrap().run(ours, Bytes::new(), peer(), Stalled));
    client(&registry, Box::new(theirs)).await;

    registry.put(&row("jo", "a", 1_000_000)).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let ours = SharedTcp::new(listener.accept().await.unwrap().0);
    let attachment = registry.attach(&id).unwrap();
    attachment.write_directly(ours.clone());
    tokio::spawn(attachment.run(ours, Bytes::new(), peer(), Stalled));
    client(&registry, Box::new(theirs)).await;
}

trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Socket for T {}

#[tokio::test]
async fn lone_ping_is_answered_at_once() {
    on_both(async |_, mut socket| {
        for payload in [&b"one"[..], b"", &[7; 125]] {
            socket.write_all(&frame(PING, payload)).await.unwrap();
            let len = u8::try_from(payload.len()).unwrap();
            expect(&mut socket, &[&[0x8a, len], payload].concat()).await;
        }
    })
    .await;
}

#[tokio::test]
async fn ping_between_fragments_is_answered_at_once() {
    on_both(async |_, mut socket| {
        socket.write_all(&frame(TEXT_BEGINS, b"{\"action\":")).await.unwrap();
        socket.write_all(&frame(PING, b"x")).await.unwrap();
        expect(&mut socket, b"\x8a\x01x").await;
        socket.write_all(&frame(CONTINUATION, b"")).await.unwrap();
        socket.write_all(&frame(PING, b"y")).await.unwrap();
        expect(&mut socket, b"\x8a\x01y").await;
    })
    .await;
}

#[tokio::test]
async fn ping_is_answered_while_a_message_waits() {
    on_both(async |_, mut socket| {
        socket.write_all(&frame(TEXT, b"{}")).await.unwrap();
        socket.write_all(&frame(PING, b"x")).await.unwrap();
        expect(&mut socket, b"\x8a\x01x").await;
    })
    .await;
}

#[tokio::test]
async fn ping_between_pushes_is_answered_at_once() {
    on_both(async |registry, mut socket| {
        for _ in 0..10 {
            registry.push_to(&ConnectionId::new("a"), "push".into()).await.unwrap();
            expect(&mut socket, b"\x81\x04push").await;
            socket.write_all(&frame(PING, b"x")).await.unwrap();
            expect(&mut socket, b"\x8a\x01x").await;
        }
    })
    .await;
}

#[tokio::test]
async fn close_is_answered_at_once() {
    on_both(async |_, mut socket| {
        socket.write_all(&frame(0x88, &[0x03, 0xe8])).await.unwrap();
        expect(&mut socket, b"\x88\x02\x03\xe8").await;
        assert_eq!(within(socket.read(&mut [0])).await.unwrap(), 0, "the server closes the socket");
    })
    .await;
}
