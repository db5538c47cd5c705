//! The registry over sockets in memory, with the time set by the test.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use contract_connections_v1::{Connection, ConnectionId};
use contract_notifications_v1::{Sequence, Timestamp, UserId, Version1};
use dispatcher::ports::{Connections as _, Push as _, PushError, PushFrame};
use futures_util::{SinkExt as _, StreamExt as _};
use proptest::prelude::*;
use shared_ports::Moment;
use tidings_sockets::{ClientMessage, Limits, Peer, Registry, Session, SharedTcp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use ws_edge::ports::Connections as _;

/// Waits for a future, at most 20 seconds.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it takes too long")
}

pub(crate) fn row(user: &str, id: &str, connected_at: u64) -> contract_connections_v1::Connection {
    contract_connections_v1::Connection {
        version: Version1,
        user_id: UserId::new(user).unwrap(),
        connection_id: ConnectionId::new(id),
        connected_at: Timestamp::from_millis(connected_at),
        acknowledges: false,
        format: contract_connections_v1::FrameFormat::Single,
        expires_at: None,
        ttl: 0,
    }
}

struct Silent;

impl Session for Silent {
    fn message(&self, _: ClientMessage) -> Pin<Box<dyn Future<Output = Option<String>> + Send>> {
        Box::pin(async { None })
    }

    fn confirmed(&self, _: &[Sequence]) {}
}

pub(crate) fn registry(
    limits: Limits,
) -> (Registry, UnboundedReceiver<contract_connections_v1::ConnectionKey>) {
    let (sender, receiver) = unbounded_channel();
    let registry = Registry::new(sender, limits);
    sweep(&registry, 1_000);
    (registry, receiver)
}

/// Sweeps at a second.
pub(crate) fn sweep(registry: &Registry, second: u64) {
    registry.sweep(at(second), Moment::from_millis(second * 1_000));
}

pub(crate) fn peer() -> Peer {
    Peer { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), user_agent: "test".into() }
}

pub(crate) const fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

/// Opens a connection at second 1000 over a socket that buffers `bytes` bytes.
async fn open(registry: &Registry, user: &str, id: &str, bytes: usize) -> DuplexStream {
    registry.put(&row(user, id, 1_000_000)).await.unwrap();
    let (ours, theirs) = tokio::io::duplex(bytes);
    let attachment = registry.attach(&ConnectionId::new(id)).unwrap();
    tokio::spawn(attachment.run(ours, Bytes::new(), peer(), Silent));
    tokio::task::yield_now().await;
    theirs
}

/// As [`open`], over TCP, where pushes write to the socket directly.
async fn open_tcp(registry: &Registry, user: &str, id: &str) -> WebSocketStream<TcpStream> {
    registry.put(&row(user, id, 1_000_000)).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let ours = SharedTcp::new(listener.accept().await.unwrap().0);
    let attachment = registry.attach(&ConnectionId::new(id)).unwrap();
    attachment.write_directly(ours.clone());
    tokio::spawn(attachment.run(ours, Bytes::new(), peer(), Silent));
    WebSocketStream::from_raw_socket(theirs, Role::Client, None).await
}

async fn client(socket: DuplexStream) -> WebSocketStream<DuplexStream> {
    WebSocketStream::from_raw_socket(socket, Role::Client, None).await
}

pub(crate) async fn rows(registry: &Registry, user: &str) -> Vec<Connection> {
    ws_edge::ports::Connections::list(registry, &UserId::new(user).unwrap()).await.unwrap()
}

async fn push(registry: &Registry, user: &str, id: &str, frames: Vec<Bytes>) -> dispatcher::ports::Pushed {
    let frames = frames.into_iter().map(PushFrame::from).collect();
    registry.push(&UserId::new(user).unwrap(), &ConnectionId::new(id), frames).await
}

pub(crate) fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn put_row_is_listed_and_its_key_sent() {
    let (registry, mut inserted) = registry(Limits::default());
    registry.put(&row("jo", "a", 5)).await.unwrap();
    registry.put(&row("jo", "b", 6)).await.unwrap();
    assert_eq!(rows(&registry, "jo").await, [row("jo", "a", 5), row("jo", "b", 6)]);
    assert_eq!(inserted.recv().await.unwrap().connection_id.as_str(), "a");
    // The row stays, because it was connected at another time.
    registry
        .forget(&UserId::new("jo").unwrap(), &ConnectionId::new("a"), Timestamp::from_millis(4))
        .await
        .unwrap();
    assert_eq!(rows(&registry, "jo").await.len(), 2);
    registry
        .forget(&UserId::new("jo").unwrap(), &ConnectionId::new("a"), Timestamp::from_millis(5))
        .await
        .unwrap();
    registry.delete(&(&row("jo", "b", 6)).into()).await.unwrap();
    registry.delete(&(&row("jo", "b", 6)).into()).await.unwrap();
    assert!(rows(&registry, "jo").await.is_empty());
}

#[tokio::test]
async fn push_before_the_socket_opens_waits() {
    let (registry, _inserted) = registry(Limits::default());
    registry.put(&row("jo", "a", 1)).await.unwrap();
    let mut pushing = Box::pin(push(&registry, "jo", "a", vec!["early".into()]));
    assert!(poll_once(pushing.as_mut()).is_pending());
    let (ours, theirs) = tokio::io::duplex(1024);
    let attachment = registry.attach(&ConnectionId::new("a")).unwrap();
    tokio::spawn(attachment.run(ours, Bytes::new(), peer(), Silent));
    assert_eq!(within(client(theirs).await.next()).await.unwrap().unwrap(), Message::text("early"));
    assert_eq!(within(pushing).await.accepted, 1);
}

#[tokio::test]
async fn push_to_idle_socket_is_written_at_once() {
    let (registry, _inserted) = registry(Limits::default());
    let mut theirs = open_tcp(&registry, "jo", "a").await;
    let mut pushing = Box::pin(push(&registry, "jo", "a", vec!["one".into(), "two".into()]));
    // The socket's task did not run in between.
    let Poll::Ready(pushed) = poll_once(pushing.as_mut()) else { panic!("not written") };
    assert_eq!(pushed.accepted, 2);
    assert_eq!(within(theirs.next()).await.unwrap().unwrap(), Message::text("one"));
    assert_eq!(within(theirs.next()).await.unwrap().unwrap(), Message::text("two"));
    // The socket closes when the connection has ended.
    registry.close(&ConnectionId::new("a"));
    assert!(matches!(within(theirs.next()).await.unwrap().unwrap(), Message::Close(Some(_))));
    assert!(within(theirs.next()).await.is_none());
    let after = push(&registry, "jo", "a", vec!["late".into()]).await;
    assert!(matches!(after.error, Some(PushError::Gone)));
}

/// The socket takes some frames at once, a part of others, and others wait. Pongs and a close come between whole
/// frames.
#[tokio::test]
async fn slow_client_gets_whole_frames_in_order() {
    let (registry, _inserted) = registry(Limits { max_frame_bytes: 32 * 1024, ..Limits::default() });
    let mut theirs = open_tcp(&registry, "jo", "a").await;
    let frame = |number: usize| format!("{number}:{}", "x".repeat(number % 50 * 2_000));
    let pushing = tokio::spawn({
        let registry = registry.clone();
        async move {
            for first in (0..300).step_by(3) {
                let frames = (first..first + 3).map(|number| frame(number).into()).collect();
                assert_eq!(push(&registry, "jo", "a", frames).await.accepted, 3);
            }
            registry.close(&ConnectionId::new("a"));
        }
    });
    let (mut number, mut pongs) = (0, 0);
    loop {
        match within(theirs.next()).await.expect("the close frame comes first").unwrap() {
            Message::Text(text) => {
                assert!(text.as_str() == frame(number), "frame {number}");
                if number % 10 == 0 {
                    within(theirs.send(Message::Ping(Bytes::new()))).await.unwrap();
                }
                number += 1;
            }
            Message::Pong(_) => pongs += 1,
            Message::Close(_) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(number, 300);
    assert!(pongs > 0);
    within(pushing).await.unwrap();
}

#[tokio::test]
async fn push_is_gone_after_a_failed_handshake() {
    let (registry, _inserted) = registry(Limits::default());
    registry.put(&row("jo", "a", 1)).await.unwrap();
    let mut pushing = Box::pin(push(&registry, "jo", "a", vec!["early".into()]));
    assert!(poll_once(pushing.as_mut()).is_pending());
    drop(registry.attach(&ConnectionId::new("a")).unwrap());
    let pushed = within(pushing).await;
    assert!(matches!((pushed.accepted, pushed.error), (0, Some(PushError::Gone))));
    assert!(rows(&registry, "jo").await.is_empty());
    assert!(registry.attach(&ConnectionId::new("a")).is_none());
}

#[tokio::test]
async fn unanswered_handshake_is_removed() {
    let (registry, _inserted) = registry(Limits::default());
    registry.put(&row("jo", "a", 1_000_000)).await.unwrap();
    sweep(&registry, 1_009);
    assert_eq!(rows(&registry, "jo").await.len(), 1);
    sweep(&registry, 1_010);
    assert!(rows(&registry, "jo").await.is_empty());
}

#[tokio::test]
async fn push_completes_when_written() {
    let (registry, _inserted) = registry(Limits::default());
    // Space for the first frame and a part of the second.
    let mut socket = open(&registry, "jo", "a", 20).await;
    let frames = vec![Bytes::from_static(b"0123456789"), Bytes::from_static(b"0123456789")];
    let mut pushing = Box::pin(push(&registry, "jo", "a", frames));
    for _ in 0..10 {
        assert!(poll_once(pushing.as_mut()).is_pending());
        tokio::task::yield_now().await;
    }
    let mut read = [0; 24];
    within(socket.read_exact(&mut read)).await.unwrap();
    assert_eq!(&read, b"\x81\x0a0123456789\x81\x0a0123456789");
    assert_eq!(within(pushing).await.accepted, 2);
}

#[tokio::test]
async fn push_larger_than_the_buffer_stays_in_order() {
    let (registry, _inserted) = registry(Limits { buffer_bytes: 100, ..Limits::default() });
    let mut client = client(open(&registry, "jo", "a", 50).await).await;
    let frames: Vec<Bytes> = (0..200).map(|n| format!("{n:0>40}").into()).collect();
    let expected = frames.clone();
    let reader = tokio::spawn(async move {
        for frame in expected {
            assert_eq!(client.next().await.unwrap().unwrap().into_data(), frame);
        }
    });
    assert_eq!(within(push(&registry, "jo", "a", frames)).await.accepted, 200);
    within(reader).await.unwrap();
}

#[tokio::test]
async fn client_that_never_reads_is_closed() {
    let (registry, _inserted) = registry(Limits { keepalive: None, ..Limits::default() });
    let _stuck = open(&registry, "stuck", "a", 64).await;
    let mut other = client(open(&registry, "other", "b", 64).await).await;
    let frames = vec![Bytes::from(vec![b'x'; 30]); 10];
    let mut stuck = Box::pin(push(&registry, "stuck", "a", frames));
    assert!(poll_once(stuck.as_mut()).is_pending());
    let (pushed, message) =
        within(futures_util::future::join(push(&registry, "other", "b", vec!["hello".into()]), other.next()))
            .await;
    assert_eq!((pushed.accepted, message.unwrap().unwrap()), (1, Message::text("hello")));
    sweep(&registry, 1_014);
    assert_eq!(rows(&registry, "stuck").await.len(), 1);
    sweep(&registry, 1_015);
    assert!(rows(&registry, "stuck").await.is_empty());
    assert!(matches!(within(stuck).await.error, Some(PushError::Gone)));
    assert_eq!(rows(&registry, "other").await.len(), 1);
}

#[tokio::test]
async fn half_open_connection_is_found_by_pings() {
    let (registry, _inserted) = registry(Limits::default());
    let mut socket = open(&registry, "jo", "a", 64).await;
    sweep(&registry, 1_029);
    sweep(&registry, 1_030);
    let mut ping = [0; 10];
    within(socket.read_exact(&mut ping)).await.unwrap();
    assert_eq!(ping, [0x89, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
    sweep(&registry, 1_059);
    assert_eq!(rows(&registry, "jo").await.len(), 1);
    sweep(&registry, 1_060);
    assert!(rows(&registry, "jo").await.is_empty());
    assert_eq!(within(socket.read(&mut ping)).await.unwrap(), 0);
}

#[tokio::test]
async fn limits_hold_when_the_clock_is_set_back() {
    let (registry, _inserted) =
        registry(Limits { max_age: Some(Duration::from_secs(200)), ..Limits::default() });
    let _silent = open(&registry, "silent", "a", 64).await;
    let _stuck = open(&registry, "stuck", "b", 64).await;
    let frames = vec![Bytes::from(vec![b'x'; 30]); 10];
    let mut stuck = Box::pin(push(&registry, "stuck", "b", frames));
    assert!(poll_once(stuck.as_mut()).is_pending());
    // An hour back, and a year forth.
    for (second, time) in [(1_015, at(0)), (1_030, at(0)), (1_060, at(40_000_000))] {
        registry.sweep(time, Moment::from_millis(second * 1_000));
        if second == 1_015 {
            assert!(rows(&registry, "stuck").await.is_empty(), "it made no progress for 15 seconds");
        }
    }
    assert!(rows(&registry, "silent").await.is_empty(), "it answered no ping for 30 seconds");
}

#[tokio::test]
async fn client_that_answers_pings_stays() {
    let (registry, _inserted) = registry(Limits::default());
    let mut client = client(open(&registry, "jo", "a", 64).await).await;
    for minute in 0..10 {
        sweep(&registry, 1_030 + minute * 60);
        assert!(matches!(within(client.next()).await.unwrap().unwrap(), Message::Ping(_)));
        client.flush().await.unwrap();
        tokio::task::yield_now().await;
        sweep(&registry, 1_059 + minute * 60);
        assert_eq!(rows(&registry, "jo").await.len(), 1);
    }
}

/// Returns the close code of a sweep that closes a connection. The sweep a second earlier must leave it open.
async fn closed_at(limits: Limits, seconds: u64) -> CloseCode {
    let (registry, _inserted) = registry(limits);
    let mut client = client(open(&registry, "jo", "a", 256).await).await;
    sweep(&registry, 1_000 + seconds - 1);
    assert_eq!(rows(&registry, "jo").await.len(), 1);
    sweep(&registry, 1_000 + seconds);
    assert!(rows(&registry, "jo").await.is_empty());
    loop {
        match within(client.next()).await.unwrap().unwrap() {
            Message::Close(close) => return close.unwrap().code,
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn like_aws_idle_connection_lasts_ten_minutes() {
    assert_eq!(
        closed_at(Limits { keepalive: None, ..Limits::default() }.like_aws(), 600).await,
        CloseCode::Away
    );
}

#[tokio::test]
async fn like_aws_connection_lasts_two_hours() {
    let limits = Limits { keepalive: None, ..Limits::default() }.like_aws();
    assert_eq!(closed_at(Limits { idle_timeout: None, ..limits }, 7_200).await, CloseCode::Away);
}

#[tokio::test]
async fn expired_credential_closes_if_configured() {
    let limits = Limits { keepalive: None, close_when_expired: true, ..Limits::default() };
    let (registry, _inserted) = registry(limits);
    let expiring = Connection { expires_at: Some(at(1_100)), ..row("jo", "a", 1_000_000) };
    registry.put(&expiring).await.unwrap();
    let (ours, theirs) = tokio::io::duplex(256);
    tokio::spawn(registry.attach(&ConnectionId::new("a")).unwrap().run(ours, Bytes::new(), peer(), Silent));
    tokio::task::yield_now().await;
    sweep(&registry, 1_099);
    assert_eq!(rows(&registry, "jo").await.len(), 1);
    sweep(&registry, 1_100);
    let Message::Close(Some(close)) = within(client(theirs).await.next()).await.unwrap().unwrap() else {
        panic!("not closed")
    };
    assert_eq!(close.code, CloseCode::Policy);
}

/// A session that counts what its client does.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicUsize>);

impl Session for Counting {
    fn message(&self, _: ClientMessage) -> Pin<Box<dyn Future<Output = Option<String>> + Send>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { None })
    }

    fn confirmed(&self, sequences: &[Sequence]) {
        self.0.fetch_add(sequences.len(), Ordering::SeqCst);
    }
}

/// Sends messages to a connection that is then ended, before its task has run. Returns how many count.
async fn messages_that_count(end: impl AsyncFn(&Registry)) -> usize {
    let (registry, _inserted) = registry(Limits::default());
    registry.put(&row("jo", "a", 1_000_000)).await.unwrap();
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let counting = Counting::default();
    let attachment = registry.attach(&ConnectionId::new("a")).unwrap();
    tokio::spawn(attachment.run(ours, Bytes::new(), peer(), counting.clone()));
    let mut theirs = client(theirs).await;
    for _ in 0..50 {
        theirs.send(Message::text("act")).await.unwrap();
    }
    let reading = async { while within(theirs.next()).await.is_some() {} };
    tokio::join!(end(&registry), reading);
    counting.0.load(Ordering::SeqCst)
}

#[tokio::test]
async fn client_that_is_shut_out_acts_no_more() {
    let shut_out = messages_that_count(async |registry| {
        assert!(registry.close(&ConnectionId::new("a")));
    });
    assert_eq!(shut_out.await, 0);
    // When the server goes away, acknowledgements under way spare a repetition.
    assert_eq!(messages_that_count(Registry::close_all).await, 50);
}

#[tokio::test]
async fn client_that_ignores_a_close_is_dropped() {
    let (registry, _inserted) = registry(Limits::default());
    let mut socket = open(&registry, "jo", "a", 256).await;
    assert!(registry.close(&ConnectionId::new("a")));
    assert!(!registry.close(&ConnectionId::new("a")));
    let mut head = [0; 4];
    within(socket.read_exact(&mut head)).await.unwrap();
    assert_eq!((head[0], u16::from_be_bytes([head[2], head[3]])), (0x88, 1000));
    sweep(&registry, 1_004);
    assert_eq!(registry.open_sockets(), 1);
    sweep(&registry, 1_005);
    within(socket.read_to_end(&mut Vec::new())).await.unwrap();
    within(async {
        while registry.open_sockets() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// For any bytes from a client, the connection continues or ends, and a push completes either way.
    #[test]
    fn any_bytes_are_survived(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(within(async {
            let (registry, _inserted) = registry(Limits::default());
            let mut socket = open(&registry, "jo", "a", 64 * 1024).await;
            for chunk in chunks {
                let _ = socket.write_all(&chunk).await;
                tokio::task::yield_now().await;
            }
            let pushed = push(&registry, "jo", "a", vec!["x".into()]).await;
            assert!(pushed.accepted == 1 || matches!(pushed.error, Some(PushError::Gone)));
            drop(socket);
            while registry.open_sockets() > 0 {
                tokio::task::yield_now().await;
            }
        }));
    }
}

#[tokio::test]
async fn ping_flood_takes_no_memory_and_is_dropped() {
    let (registry, _inserted) = registry(Limits::default());
    let socket = open(&registry, "jo", "a", 256).await;
    let mut client = client(socket).await;
    // It sends until the server stops reading.
    let mut sent = 0;
    let flood = async {
        loop {
            client.send(Message::Ping("0123456789".into())).await.unwrap();
            sent += 1;
        }
    };
    let _ = tokio::time::timeout(Duration::from_millis(100), flood).await;
    assert!(sent < 2_000, "{sent} pings were taken");
    // By then the client counts as silent.
    sweep(&registry, 1_030);
    sweep(&registry, 1_060);
    assert!(rows(&registry, "jo").await.is_empty());
}
