//! Pongs as receipts: what the dispatcher sees, what a client gets, and what counts.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use contract_connections_v1::{Connection, ConnectionId};
use contract_notifications_v1::{Sequence, UserId};
use dispatcher::ports::{Push as _, PushError, PushFrame, Pushed};
use tidings_sockets::{ClientMessage, Confirm, Limits, Registry, Session};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use ws_edge::ports::Connections as _;

use crate::registry::{peer, poll_once, registry, row, rows, sweep, within};

/// Records the notifications that the client has.
#[derive(Clone, Default)]
struct Recorded(Arc<Mutex<Vec<u128>>>);

impl Session for Recorded {
    fn message(&self, _: ClientMessage) -> Pin<Box<dyn Future<Output = Option<String>> + Send>> {
        Box::pin(async { None })
    }

    fn confirmed(&self, sequences: &[Sequence]) {
        self.0.lock().unwrap().extend(sequences.iter().map(|sequence| sequence.number()));
    }
}

impl Recorded {
    /// Returns what was confirmed, after the socket's task has read everything.
    async fn numbers(&self) -> Vec<u128> {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        self.0.lock().unwrap().clone()
    }
}

async fn open(registry: &Registry, row: &Connection) -> (DuplexStream, Recorded) {
    registry.put(row).await.unwrap();
    let (ours, theirs) = duplex(64 * 1024);
    let recorded = Recorded::default();
    let attachment = registry.attach(&row.connection_id).unwrap();
    tokio::spawn(attachment.run(ours, Bytes::new(), peer(), recorded.clone()));
    tokio::task::yield_now().await;
    (theirs, recorded)
}

fn frame(text: &'static str, sequences: &[u128]) -> PushFrame {
    let sequences = sequences.iter().copied().map(Sequence::new).collect();
    PushFrame { text: Bytes::from_static(text.as_bytes()), sequences }
}

async fn push(registry: &Registry, frames: Vec<PushFrame>) -> Pushed {
    registry.push(&UserId::new("jo").unwrap(), &ConnectionId::new("a"), frames).await
}

async fn expect(socket: &mut DuplexStream, expected: &[u8]) {
    let mut read = vec![0; expected.len()];
    within(socket.read_exact(&mut read)).await.unwrap();
    assert_eq!(read, expected);
}

/// Returns true if nothing comes from the server, after the socket's task has written everything.
async fn silent(socket: &mut DuplexStream) -> bool {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    poll_once(Box::pin(socket.read_u8()).as_mut()).is_pending()
}

/// Returns the dispatcher's view of the one connection.
async fn dispatched(registry: &Registry) -> Connection {
    let rows = dispatcher::ports::Connections::list(registry, &UserId::new("jo").unwrap()).await;
    rows.unwrap().pop().unwrap()
}

/// Returns a masked pong that answers the ping behind the first `number` frames.
fn pong(number: u8) -> [u8; 14] {
    [0x8a, 0x88, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number]
}

#[tokio::test]
async fn pong_confirms_what_was_pushed_before() {
    let (registry, _inserted) = registry(Limits::default());
    let (mut socket, recorded) = open(&registry, &row("jo", "a", 1_000_000)).await;
    assert!(dispatched(&registry).await.acknowledges, "the socket acknowledges");
    assert_eq!(push(&registry, vec![frame("one", &[1]), frame("two", &[2, 3])]).await.accepted, 2);
    expect(&mut socket, b"\x81\x03one\x81\x03two\x89\x08\0\0\0\0\0\0\0\x02").await;
    // One ping is under way: the next frame gets none.
    assert_eq!(push(&registry, vec![frame("more", &[4])]).await.accepted, 1);
    expect(&mut socket, b"\x81\x04more").await;
    assert!(recorded.numbers().await.is_empty());
    for wrong in [pong(3), pong(1), pong(0)] {
        socket.write_all(&wrong).await.unwrap();
    }
    socket.write_all(b"\x8a\x80\0\0\0\0").await.unwrap();
    assert!(recorded.numbers().await.is_empty(), "a pong that nobody asked for confirms nothing");
    socket.write_all(&pong(2)).await.unwrap();
    assert_eq!(recorded.numbers().await, [1, 2, 3]);
    assert!(silent(&mut socket).await, "one ping for each beat");
    registry.beat();
    expect(&mut socket, b"\x89\x08\0\0\0\0\0\0\0\x03").await;
    socket.write_all(&pong(3)).await.unwrap();
    assert_eq!(recorded.numbers().await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn pushes_wait_when_too_much_is_unconfirmed() {
    let (registry, _inserted) = registry(Limits { buffer_bytes: 10, ..Limits::default() });
    let (mut socket, recorded) = open(&registry, &row("jo", "a", 1_000_000)).await;
    assert_eq!(push(&registry, vec![frame("12345678", &[1])]).await.accepted, 1);
    let mut next = Box::pin(push(&registry, vec![frame("abcdefgh", &[2])]));
    for _ in 0..10 {
        assert!(poll_once(next.as_mut()).is_pending());
        tokio::task::yield_now().await;
    }
    expect(&mut socket, b"\x81\x0812345678\x89\x08\0\0\0\0\0\0\0\x01").await;
    socket.write_all(&pong(1)).await.unwrap();
    assert_eq!(within(next).await.accepted, 1);
    assert_eq!(recorded.numbers().await, [1]);
    expect(&mut socket, b"\x81\x08abcdefgh\x89\x08\0\0\0\0\0\0\0\x02").await;
}

#[tokio::test]
async fn pings_come_between_many_frames() {
    let (registry, _inserted) = registry(Limits::default());
    let (mut socket, recorded) = open(&registry, &row("jo", "a", 1_000_000)).await;
    let frames = (1..=20).map(|number| frame("x", &[number])).collect();
    assert_eq!(push(&registry, frames).await.accepted, 20);
    let mut expected = Vec::new();
    for (count, number) in [(8, 8), (8, 16), (4, 0)] {
        expected.extend(b"\x81\x01x".repeat(count));
        if number > 0 {
            expected.extend([0x89, 8, 0, 0, 0, 0, 0, 0, 0, number]);
        }
    }
    expect(&mut socket, &expected).await;
    // A program that takes its time answers one after the other, and is not taken for dead.
    sweep(&registry, 1_020);
    socket.write_all(&pong(8)).await.unwrap();
    assert_eq!(recorded.numbers().await, (1..=8).collect::<Vec<_>>());
    sweep(&registry, 1_045);
    assert_eq!(rows(&registry, "jo").await.len(), 1);
    socket.write_all(&pong(16)).await.unwrap();
    assert_eq!(recorded.numbers().await.len(), 16);
}

#[tokio::test]
async fn stalled_connection_does_not_hold_up_the_users_others() {
    for (others, ended) in [(false, false), (true, true)] {
        let (registry, _inserted) = registry(Limits { buffer_bytes: 10, ..Limits::default() });
        let (mut socket, _) = open(&registry, &row("jo", "a", 1_000_000)).await;
        let _other = if others { Some(open(&registry, &row("jo", "b", 1_000_000)).await) } else { None };
        sweep(&registry, 1_001);
        push(&registry, vec![frame("12345678", &[1])]).await;
        let mut waiting = Box::pin(push(&registry, vec![frame("abcdefgh", &[2])]));
        assert!(poll_once(waiting.as_mut()).is_pending());
        sweep(&registry, 1_005);
        assert!(poll_once(waiting.as_mut()).is_pending(), "it has five seconds");
        sweep(&registry, 1_006);
        assert_eq!(poll_once(waiting.as_mut()).is_ready(), ended);
        if !ended {
            expect(&mut socket, b"\x81\x0812345678\x89\x08\0\0\0\0\0\0\0\x01").await;
            socket.write_all(&pong(1)).await.unwrap();
            assert_eq!(within(waiting).await.accepted, 1);
        }
    }
}

#[tokio::test]
async fn client_that_never_pongs_is_gone() {
    for keepalive in [Some(Duration::from_secs(30)), None] {
        let (registry, _inserted) = registry(Limits { keepalive, buffer_bytes: 10, ..Limits::default() });
        let (mut socket, recorded) = open(&registry, &row("jo", "a", 1_000_000)).await;
        sweep(&registry, 1_001);
        push(&registry, vec![frame("12345678", &[1])]).await;
        let mut waiting = Box::pin(push(&registry, vec![frame("abcdefgh", &[2])]));
        assert!(poll_once(waiting.as_mut()).is_pending());
        // It talks, and answers no ping.
        socket.write_all(b"\x81\x80\0\0\0\0").await.unwrap();
        sweep(&registry, 1_030);
        assert_eq!(rows(&registry, "jo").await.len(), 1);
        sweep(&registry, 1_031);
        assert!(rows(&registry, "jo").await.is_empty());
        assert!(matches!(within(waiting).await.error, Some(PushError::Gone)));
        assert!(recorded.numbers().await.is_empty());
    }
}

#[tokio::test]
async fn keepalive_and_receipts_share_the_ping() {
    let (registry, _inserted) = registry(Limits::default());
    let (mut socket, recorded) = open(&registry, &row("jo", "a", 1_000_000)).await;
    sweep(&registry, 1_030);
    expect(&mut socket, b"\x89\x08\0\0\0\0\0\0\0\0").await;
    push(&registry, vec![frame("one", &[1])]).await;
    expect(&mut socket, b"\x81\x03one").await;
    socket.write_all(&pong(0)).await.unwrap();
    assert!(silent(&mut socket).await, "one ping for each beat");
    registry.beat();
    expect(&mut socket, b"\x89\x08\0\0\0\0\0\0\0\x01").await;
    assert!(recorded.numbers().await.is_empty());
    socket.write_all(&pong(1)).await.unwrap();
    assert_eq!(recorded.numbers().await, [1]);
}

#[tokio::test]
async fn other_connections_get_no_pings_for_receipts() {
    let acknowledging = Connection { acknowledges: true, ..row("jo", "a", 1_000_000) };
    for (confirm, row, acknowledges) in
        [(Confirm::Pong, acknowledging, true), (Confirm::Written, row("jo", "a", 1_000_000), false)]
    {
        let (registry, _inserted) = registry(Limits { confirm, ..Limits::default() });
        let (mut socket, recorded) = open(&registry, &row).await;
        assert_eq!(dispatched(&registry).await.acknowledges, acknowledges);
        push(&registry, vec![frame("one", &[1])]).await;
        push(&registry, vec![frame("two", &[2])]).await;
        expect(&mut socket, b"\x81\x03one\x81\x03two").await;
        socket.write_all(&pong(2)).await.unwrap();
        assert!(recorded.numbers().await.is_empty());
    }
}
