//! The baseline: a bare server on tokio-tungstenite that only pushes.
//!
//! It has no storage, handles no errors, and speaks a minimal protocol with producers. No server that uses
//! the same WebSocket library on the same runtime can be faster, so the distance to it is the cost of
//! everything else a server does.
//!
//! Each connection is a task. The users' map is behind one lock, which is never held across an await. The
//! server runs as a process of its own: the benchmark's program, started with [`SERVE_OPTION`].

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use bench_load::{RunId, Sink, Template};
use futures_util::{SinkExt as _, StreamExt as _};
use memchr::{memchr, memmem};
use shared_sync::IgnorePoison as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::protocol::pipeline::Pipeline;

/// The command-line option that starts this program as the baseline's server.
pub(crate) const SERVE_OPTION: &str = "--serve-baseline";

/// Size of a connection's buffers. The library's default takes 138 KB a connection.
const BUFFER_BYTES: usize = 4 * 1024;
/// Size of the read buffer for producers.
const READ_BYTES: usize = 256 * 1024;
/// Number of connections that may wait to be accepted: more than the generator opens at once, or the system drops some and
/// their clients try again after a second.
const BACKLOG: i32 = 4_096;
/// Largest number of messages written with one flush.
const COALESCED: usize = 256;
const USER: &[u8] = br#"{"userId":""#;
const PAYLOAD: &[u8] = br#"","payload":"#;

/// A user, with a connection or with the payloads held for one.
enum User {
    Connected(UnboundedSender<Utf8Bytes>),
    Waiting(Vec<Utf8Bytes>),
}

type Users = Arc<Mutex<HashMap<String, User>>>;

/// Serves until the process is killed. Prints the addresses for producers and receivers first.
pub(crate) fn serve() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listen = || -> anyhow::Result<TcpListener> {
            let listener = listen()?;
            listener.set_nonblocking(true)?;
            Ok(TcpListener::from_std(listener)?)
        };
        let (producers, receivers) = (listen()?, listen()?);
        let (tcp, websocket) = (producers.local_addr()?, receivers.local_addr()?);
        announce(tcp, websocket)?;
        let users = Users::default();
        let accepting = Arc::clone(&users);
        tokio::spawn(async move {
            while let Ok((stream, _)) = producers.accept().await {
                tokio::spawn(serve_producer(stream, Arc::clone(&accepting)));
            }
        });
        while let Ok((stream, _)) = receivers.accept().await {
            tokio::spawn(serve_receiver(stream, Arc::clone(&users)));
        }
        anyhow::bail!("the server can't accept connections any more")
    })
}

/// Opens a port on this machine.
pub(crate) fn listen() -> anyhow::Result<StdListener> {
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).context("can't open a port")?;
    // The standard library's own backlog is 128. A socket that listens takes a new one.
    rustix::net::listen(&listener, BACKLOG).context("can't listen")?;
    Ok(listener)
}

/// Prints the addresses for producers and receivers.
#[allow(clippy::print_stdout, reason = "the benchmark reads it there")]
pub(crate) fn announce(tcp: SocketAddr, websocket: SocketAddr) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(&serde_json::json!({ "tcp": tcp, "websocket": websocket }))?);
    Ok(())
}

/// Accepts a producer's lines, and answers each read with their number.
async fn serve_producer(mut stream: TcpStream, users: Users) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut bytes = Vec::with_capacity(READ_BYTES);
    while stream.read_buf(&mut bytes).await? > 0 {
        let (mut used, mut count) = (0, 0_u32);
        {
            let mut users = users.lock().ignore_poison();
            while let Some(length) = memchr(b'\n', &bytes[used..]) {
                deliver(&bytes[used..used + length], &mut users).context("a line is not a notification")?;
                used += length + 1;
                count += 1;
            }
        }
        bytes.drain(..used);
        stream.write_all(&count.to_le_bytes()).await?;
    }
    Ok(())
}

/// Returns where user and payload stand in a line, which has the user first and then the payload.
pub(crate) fn notification(line: &[u8]) -> Option<(Range<usize>, Range<usize>)> {
    let rest = line.strip_prefix(USER)?.strip_suffix(b"}")?;
    let user = USER.len()..USER.len() + memchr(b'"', rest)?;
    let payload = USER.len() + memmem::find(rest, PAYLOAD)? + PAYLOAD.len()..line.len() - 1;
    Some((user, payload))
}

/// Pushes or holds the notification in a line.
fn deliver(line: &[u8], users: &mut HashMap<String, User>) -> Option<()> {
    let (user, payload) = notification(line)?;
    let user = std::str::from_utf8(&line[user]).ok()?;
    let payload = Utf8Bytes::from(std::str::from_utf8(&line[payload]).ok()?);
    match users.get_mut(user) {
        // The notification is lost if the receiver has just disconnected.
        Some(User::Connected(sender)) => drop(sender.send(payload)),
        Some(User::Waiting(waiting)) => waiting.push(payload),
        None => drop(users.insert(user.to_owned(), User::Waiting(vec![payload]))),
    }
    Some(())
}

/// Sends a receiver what waits for it, then pushes until it disconnects.
async fn serve_receiver(stream: TcpStream, users: Users) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut user = String::new();
    let config = WebSocketConfig::default().read_buffer_size(BUFFER_BYTES).write_buffer_size(BUFFER_BYTES);
    #[allow(clippy::result_large_err, reason = "the library's type")]
    let read_user = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        let query = request.uri().query().unwrap_or_default();
        query.trim_start_matches("user=").clone_into(&mut user);
        Ok(response)
    };
    let mut socket = accept_hdr_async_with_config(stream, read_user, Some(config)).await?;
    let (sender, mut messages): (_, UnboundedReceiver<Utf8Bytes>) = unbounded_channel();
    let before = {
        let mut users = users.lock().ignore_poison();
        users.insert(user, User::Connected(sender))
    };
    if let Some(User::Waiting(waiting)) = before {
        for text in waiting {
            socket.feed(Message::Text(text)).await?;
        }
        socket.flush().await?;
    }
    let mut next = Vec::with_capacity(COALESCED);
    loop {
        tokio::select! {
            count = messages.recv_many(&mut next, COALESCED) => {
                if count == 0 {
                    return Ok(());
                }
                for text in next.drain(..) {
                    socket.feed(Message::Text(text)).await?;
                }
                socket.flush().await?;
            }
            message = socket.next() => match message {
                Some(Ok(_)) => {}
                _ => return Ok(()),
            },
        }
    }
}

/// A producer for some users.
#[derive(Debug)]
pub(crate) struct BaselineProducer {
    pipeline: Pipeline,
    lines: Vec<Template>,
}

impl BaselineProducer {
    pub(crate) fn connect(
        host: &str,
        run: &RunId,
        users: &[u32],
        payload_bytes: usize,
    ) -> anyhow::Result<Self> {
        let lines =
            users.iter().map(|&user| Template::ndjson_line(run, user, payload_bytes, false)).collect();
        Ok(Self { pipeline: Pipeline::connect(host)?, lines })
    }
}

/// Sums the server's counts of lines.
#[allow(clippy::unnecessary_wraps, reason = "the pipeline wants a result")]
fn accepted(bytes: &[u8]) -> anyhow::Result<(usize, u64)> {
    let (counts, rest) = bytes.as_chunks::<4>();
    let count = counts.iter().map(|count| u64::from(u32::from_le_bytes(*count))).sum();
    Ok((bytes.len() - rest.len(), count))
}

impl Sink for BaselineProducer {
    fn write(&mut self, user: usize, time: u64, number: u32) {
        self.pipeline.add(&self.lines[user], time, number);
    }

    fn flush(&mut self) -> anyhow::Result<bool> {
        self.pipeline.flush(accepted)?;
        Ok(true)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.pipeline.finish(accepted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notification_is_held_or_pushed() {
        let mut users = HashMap::new();
        let run = RunId::new();
        let mut line = Vec::new();
        Template::ndjson_line(&run, 1, 200, false).write(5, 6, &mut line);
        let mut payload = Vec::new();
        Template::payload(&run, 200).write(5, 6, &mut payload);
        let line = line.strip_suffix(b"\n").unwrap();
        deliver(line, &mut users).unwrap();
        let Some(User::Waiting(waiting)) = users.get(&run.user(1)) else { panic!("not waiting") };
        assert_eq!(waiting[0].as_bytes(), payload);
        let (sender, mut receiver) = unbounded_channel();
        users.insert(run.user(1), User::Connected(sender));
        deliver(line, &mut users).unwrap();
        assert_eq!(receiver.try_recv().unwrap().as_bytes(), payload);
        assert_eq!(deliver(b"{}", &mut users), None);
    }

    #[test]
    fn incomplete_count_is_not_read() {
        assert_eq!(accepted(&[1, 0, 0, 0, 2, 0, 0, 0, 9]).unwrap(), (8, 3));
    }
}
