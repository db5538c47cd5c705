//! The line: a bare server on tokio-tungstenite that does nothing but push, with no storage, no answer to anything
//! that could go wrong, and a protocol for producers that costs next to nothing. Nothing that speaks WebSocket by
//! the same library on the same runtime can be faster; how near a server comes says what all it does costs.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use bench_load::{Run, Sink, Template};
use futures_util::{SinkExt as _, StreamExt as _};
use memchr::{memchr, memmem};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::protocol::pipe::Pipe;

/// Smaller than the library's own, which take 138 KB a connection.
const BUFFER_BYTES: usize = 4 * 1024;
/// Bytes read of a producer at once.
const READ_BYTES: usize = 256 * 1024;
/// Messages written with one flush.
const COALESCED: usize = 256;
const USER: &[u8] = br#"{"userId":""#;
const PAYLOAD: &[u8] = br#"","payload":"#;

/// A user: connected, or with a list of what waits.
enum User {
    Connected(UnboundedSender<Utf8Bytes>),
    Waiting(Vec<Utf8Bytes>),
}

type Users = Arc<Mutex<HashMap<String, User>>>;

/// Serves until the process is killed. Writes where producers and receivers get in.
pub(crate) fn serve() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let (producers, receivers) = (listen().await?, listen().await?);
        let (tcp, websocket) = (producers.local_addr()?, receivers.local_addr()?);
        announce(tcp, websocket)?;
        let users = Users::default();
        let accepting = Arc::clone(&users);
        tokio::spawn(async move {
            while let Ok((stream, _)) = producers.accept().await {
                tokio::spawn(take(stream, Arc::clone(&accepting)));
            }
        });
        while let Ok((stream, _)) = receivers.accept().await {
            tokio::spawn(push(stream, Arc::clone(&users)));
        }
        anyhow::bail!("no more connections are accepted")
    })
}

async fn listen() -> anyhow::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", 0)).await.context("no port can be opened")
}

#[allow(clippy::print_stdout, reason = "who started it reads it there")]
fn announce(tcp: SocketAddr, websocket: SocketAddr) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(&serde_json::json!({ "tcp": tcp, "websocket": websocket }))?);
    Ok(())
}

/// Takes a producer's lines, and says how many after each read.
async fn take(mut stream: TcpStream, users: Users) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut bytes = Vec::with_capacity(READ_BYTES);
    while stream.read_buf(&mut bytes).await? > 0 {
        let (mut used, mut count) = (0, 0_u32);
        {
            let mut users = users.lock().unwrap_or_else(PoisonError::into_inner);
            while let Some(length) = memchr(b'\n', &bytes[used..]) {
                deliver(&bytes[used..used + length], &mut users).context("a line is not understood")?;
                used += length + 1;
                count += 1;
            }
        }
        bytes.drain(..used);
        stream.write_all(&count.to_le_bytes()).await?;
    }
    Ok(())
}

/// A line as the generator writes it: the user first, then the payload.
fn deliver(line: &[u8], users: &mut HashMap<String, User>) -> Option<()> {
    let rest = line.strip_prefix(USER)?;
    let user = std::str::from_utf8(&rest[..memchr(b'"', rest)?]).ok()?;
    let payload = &rest[memmem::find(rest, PAYLOAD)? + PAYLOAD.len()..];
    let payload = Utf8Bytes::from(std::str::from_utf8(payload.strip_suffix(b"}")?).ok()?);
    match users.get_mut(user) {
        // A receiver that is gone gets nothing.
        Some(User::Connected(sender)) => drop(sender.send(payload)),
        Some(User::Waiting(waiting)) => waiting.push(payload),
        None => drop(users.insert(user.to_owned(), User::Waiting(vec![payload]))),
    }
    Some(())
}

/// Serves a receiver.
async fn push(stream: TcpStream, users: Users) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut user = String::new();
    let config = WebSocketConfig::default().read_buffer_size(BUFFER_BYTES).write_buffer_size(BUFFER_BYTES);
    #[allow(clippy::result_large_err, reason = "the library's own")]
    let name = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        let query = request.uri().query().unwrap_or_default();
        query.trim_start_matches("user=").clone_into(&mut user);
        Ok(response)
    };
    let mut socket = accept_hdr_async_with_config(stream, name, Some(config)).await?;
    let (sender, mut messages): (_, UnboundedReceiver<Utf8Bytes>) = unbounded_channel();
    let before = {
        let mut users = users.lock().unwrap_or_else(PoisonError::into_inner);
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
pub(crate) struct Lines {
    pipe: Pipe,
    templates: Vec<Template>,
    count: u64,
}

impl Lines {
    pub(crate) fn connect(
        host: &str,
        run: &Run,
        users: &[u32],
        payload_bytes: usize,
    ) -> anyhow::Result<Self> {
        let templates = users.iter().map(|&user| Template::line(run, user, payload_bytes, false)).collect();
        Ok(Self { pipe: Pipe::connect(host)?, templates, count: 0 })
    }
}

/// The server's counts of lines.
#[allow(clippy::unnecessary_wraps, reason = "as the others")]
fn taken(bytes: &[u8]) -> anyhow::Result<(usize, u64)> {
    let (counts, rest) = bytes.as_chunks::<4>();
    let count = counts.iter().map(|count| u64::from(u32::from_le_bytes(*count))).sum();
    Ok((bytes.len() - rest.len(), count))
}

impl Sink for Lines {
    fn write(&mut self, user: usize, time: u64, number: u32) {
        self.templates[user].write(time, number, &mut self.pipe.out);
        self.count += 1;
    }

    fn flush(&mut self) -> anyhow::Result<bool> {
        self.pipe.flush(std::mem::take(&mut self.count), taken)?;
        Ok(true)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.pipe.wait(0, taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_waits_or_is_pushed() {
        let mut users = HashMap::new();
        let run = Run::new();
        let mut line = Vec::new();
        Template::line(&run, 1, 200, false).write(5, 6, &mut line);
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
    fn counts_are_read_when_they_are_complete() {
        assert_eq!(taken(&[1, 0, 0, 0, 2, 0, 0, 0, 9]).unwrap(), (8, 3));
    }
}
