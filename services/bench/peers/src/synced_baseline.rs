//! The synced baseline: one thread that keeps Tidings' promise and does nothing else.
//!
//! It reads what producers sent, appends all that came together to one file, syncs it, writes the frames, and then answers.
//! Nothing wakes another thread, so its time is about that of the disk and of the system calls that no server with this
//! promise can leave out. It never deletes from its file and reads nothing back from it.
//!
//! Producers and receivers speak the protocols of [`crate::baseline`]. The server runs as a process of its own: the
//! benchmark's program, started with [`SERVE_OPTION`] and a folder for the file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, bail};
use memchr::{memchr, memmem};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::baseline::{announce, listen, notification};

/// The command-line option that starts this program as the synced baseline's server.
pub(crate) const SERVE_OPTION: &str = "--serve-synced-baseline";

/// Size of the buffer for reads.
const READ_BYTES: usize = 256 * 1024;
const PRODUCERS: Token = Token(0);
const RECEIVERS: Token = Token(1);

/// A client's connection.
#[derive(Debug)]
struct Connection {
    socket: TcpStream,
    role: Role,
    /// Bytes of a request that is not complete.
    input: Vec<u8>,
    /// Bytes that the socket has not taken.
    output: Vec<u8>,
}

#[derive(Debug)]
enum Role {
    Producer,
    /// A receiver whose handshake has not come.
    Handshaking,
    Receiver(String),
}

impl Connection {
    /// Writes as much as the socket takes.
    fn flush(&mut self) -> std::io::Result<()> {
        let mut written = 0;
        while written < self.output.len() {
            match self.socket.write(&self.output[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.output.drain(..written);
        Ok(())
    }
}

/// A user, with a connection or with the frames held for one.
#[derive(Debug)]
enum User {
    Connected(Token),
    Waiting(Vec<u8>),
}

/// What came since the last sync.
#[derive(Debug, Default)]
struct Group {
    /// The lines, as they are appended to the file.
    lines: Vec<u8>,
    /// Where the users and payloads stand in `lines`.
    notifications: Vec<(Range<usize>, Range<usize>)>,
    /// Number of lines of each producer that sent some.
    producers: Vec<(Token, u32)>,
}

#[derive(Debug)]
struct Server {
    poll: Poll,
    producers: TcpListener,
    receivers: TcpListener,
    connections: HashMap<Token, Connection>,
    next: usize,
    users: HashMap<String, User>,
    group: Group,
    file: File,
}

/// Serves until the process is killed. Prints the addresses for producers and receivers first.
pub(crate) fn serve(folder: &Path) -> anyhow::Result<()> {
    let listen = || -> anyhow::Result<TcpListener> {
        let listener = listen()?;
        listener.set_nonblocking(true)?;
        Ok(TcpListener::from_std(listener))
    };
    let (mut producers, mut receivers) = (listen()?, listen()?);
    let poll = Poll::new()?;
    poll.registry().register(&mut producers, PRODUCERS, Interest::READABLE)?;
    poll.registry().register(&mut receivers, RECEIVERS, Interest::READABLE)?;
    announce(producers.local_addr()?, receivers.local_addr()?)?;
    let file = File::create(folder.join("notifications")).context("can't make the file")?;
    let (connections, users, group) = (HashMap::new(), HashMap::new(), Group::default());
    Server { poll, producers, receivers, connections, next: 2, users, group, file }.run()
}

impl Server {
    fn run(mut self) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(1_024);
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                match event.token() {
                    PRODUCERS | RECEIVERS => self.accept(event.token())?,
                    token => {
                        let is_writable = event.is_writable();
                        if is_writable && self.flush(token).is_err()
                            || event.is_readable() && !self.read(token, &mut buffer)?
                        {
                            self.close(token);
                        }
                    }
                }
            }
            self.commit()?;
        }
    }

    fn accept(&mut self, of: Token) -> anyhow::Result<()> {
        let (listener, is_producer) =
            if of == PRODUCERS { (&self.producers, true) } else { (&self.receivers, false) };
        loop {
            let mut socket = match listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("can't accept a connection"),
            };
            socket.set_nodelay(true)?;
            let token = Token(self.next);
            self.next += 1;
            self.poll.registry().register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
            let role = if is_producer { Role::Producer } else { Role::Handshaking };
            let (input, output) = (Vec::new(), Vec::new());
            self.connections.insert(token, Connection { socket, role, input, output });
        }
    }

    /// Writes what a connection has to write.
    fn flush(&mut self, token: Token) -> std::io::Result<()> {
        match self.connections.get_mut(&token) {
            Some(connection) if !connection.output.is_empty() => connection.flush(),
            _ => Ok(()),
        }
    }

    /// Reads all that a connection has. Returns false if it has ended.
    fn read(&mut self, token: Token, buffer: &mut [u8]) -> anyhow::Result<bool> {
        loop {
            let Some(connection) = self.connections.get_mut(&token) else { return Ok(true) };
            let count = match connection.socket.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Ok(false),
            };
            let bytes = &buffer[..count];
            match connection.role {
                Role::Producer => {
                    connection.input.extend_from_slice(bytes);
                    let (used, lines) = self.group.add(&connection.input)?;
                    connection.input.drain(..used);
                    self.group.count(token, lines);
                }
                Role::Handshaking => {
                    connection.input.extend_from_slice(bytes);
                    if let Some((user, answer)) = handshake(&connection.input) {
                        connection.output.extend_from_slice(answer.as_bytes());
                        connection.role = Role::Receiver(user.clone());
                        if let Some(User::Waiting(frames)) = self.users.insert(user, User::Connected(token)) {
                            connection.output.extend_from_slice(&frames);
                        }
                        if connection.flush().is_err() {
                            return Ok(false);
                        }
                    }
                }
                // What receivers send is of no interest.
                Role::Receiver(_) => {}
            }
            // A stream socket that gave less has no more (epoll(7)).
            if count < buffer.len() {
                return Ok(true);
            }
        }
    }

    fn close(&mut self, token: Token) {
        let Some(Connection { role: Role::Receiver(user), .. }) = self.connections.remove(&token) else {
            return;
        };
        if matches!(self.users.get(&user), Some(User::Connected(other)) if *other == token) {
            self.users.remove(&user);
        }
    }

    /// Stores what came, writes the frames and answers.
    fn commit(&mut self) -> anyhow::Result<()> {
        let Group { lines, notifications, producers } = std::mem::take(&mut self.group);
        if lines.is_empty() {
            return Ok(());
        }
        self.file.write_all(&lines).context("can't write to the file")?;
        self.file.sync_data().context("can't sync the file")?;
        let mut written = Vec::with_capacity(notifications.len());
        for (user, payload) in notifications {
            let user = std::str::from_utf8(&lines[user])?;
            let payload = &lines[payload];
            match self.users.get_mut(user) {
                Some(User::Connected(token)) => {
                    if let Some(connection) = self.connections.get_mut(token) {
                        if connection.output.is_empty() {
                            written.push(*token);
                        }
                        write_frame(payload, &mut connection.output);
                    }
                }
                Some(User::Waiting(frames)) => write_frame(payload, frames),
                None => {
                    let mut frames = Vec::new();
                    write_frame(payload, &mut frames);
                    self.users.insert(user.to_owned(), User::Waiting(frames));
                }
            }
        }
        for (token, count) in producers {
            if let Some(connection) = self.connections.get_mut(&token) {
                connection.output.extend_from_slice(&count.to_le_bytes());
                written.push(token);
            }
        }
        for token in written {
            if self.flush(token).is_err() {
                self.close(token);
            }
        }
        Ok(())
    }
}

impl Group {
    /// Adds the complete lines of a producer. Returns their bytes and their number.
    fn add(&mut self, bytes: &[u8]) -> anyhow::Result<(usize, u32)> {
        let (mut consumed, mut lines) = (0, 0);
        while let Some(length) = memchr(b'\n', &bytes[consumed..]) {
            let line = &bytes[consumed..consumed + length];
            let Some((user, payload)) = notification(line) else { bail!("a line is not a notification") };
            let at = |part: Range<usize>| self.lines.len() + part.start..self.lines.len() + part.end;
            self.notifications.push((at(user), at(payload)));
            self.lines.extend_from_slice(&bytes[consumed..=consumed + length]);
            consumed += length + 1;
            lines += 1;
        }
        Ok((consumed, lines))
    }

    fn count(&mut self, producer: Token, lines: u32) {
        if lines > 0 {
            self.producers.push((producer, lines));
        }
    }
}

/// Returns the user of a complete handshake, and its answer.
fn handshake(bytes: &[u8]) -> Option<(String, String)> {
    let head = std::str::from_utf8(&bytes[..memmem::find(bytes, b"\r\n\r\n")?]).ok()?;
    let (request, headers) = head.split_once("\r\n")?;
    let user = request.split_once("user=")?.1.split_once(' ')?.0;
    let header = |line: &'_ str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_owned())
    };
    let accept = derive_accept_key(headers.split("\r\n").find_map(header)?.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    Some((user.to_owned(), answer))
}

/// Writes a text frame (RFC 6455, section 5.2).
fn write_frame(payload: &[u8], into: &mut Vec<u8>) {
    into.push(0x81);
    match payload.len() {
        length @ 0..=125 => into.push(length.to_le_bytes()[0]),
        length @ 126..=0xffff => {
            into.push(126);
            into.extend_from_slice(&length.to_be_bytes()[size_of::<usize>() - 2..]);
        }
        length => {
            into.push(127);
            into.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    into.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_producers_form_a_group() {
        let mut group = Group::default();
        let bytes = b"{\"userId\":\"al\",\"payload\":1}\n{\"userId\":\"bo\",\"payload\":\"x\"}\n{\"userId";
        let (used, count) = group.add(bytes).unwrap();
        assert_eq!((used, count), (bytes.len() - 8, 2));
        let (used, count) = group.add(b"{\"userId\":\"cy\",\"payload\":[]}\n").unwrap();
        assert_eq!((used, count), (29, 1));
        let parts = group.notifications.iter().map(|(user, payload)| {
            [user, payload].map(|range| std::str::from_utf8(&group.lines[range.clone()]).unwrap())
        });
        assert_eq!(parts.collect::<Vec<_>>(), [["al", "1"], ["bo", "\"x\""], ["cy", "[]"]]);
        assert!(group.add(b"nonsense\n").is_err());
    }

    #[test]
    fn handshake_is_answered_when_complete() {
        // The key and its answer are those of RFC 6455, section 1.3.
        let head =
            b"GET /ws?user=u-1 HTTP/1.1\r\nHost: x\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        assert_eq!(handshake(&head[..head.len() - 1]), None);
        let (user, answer) = handshake(head).unwrap();
        assert_eq!(user, "u-1");
        assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
    }

    #[test]
    fn frame_has_the_shortest_length() {
        let start = |length: usize| {
            let mut frame = Vec::new();
            write_frame(&vec![b'x'; length], &mut frame);
            frame[..frame.len() - length].to_vec()
        };
        assert_eq!(start(125), [0x81, 125]);
        assert_eq!(start(126), [0x81, 126, 0, 126]);
        assert_eq!(start(65_535), [0x81, 126, 0xff, 0xff]);
        assert_eq!(start(65_536), [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
