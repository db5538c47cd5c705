//! The protocol of NATS (<https://docs.nats.io/reference/reference-protocols/nats-protocol>). Subscribers are for
//! JetStream as well, whose publishers and consumers are in [`jetstream`](super::jetstream).

use std::collections::VecDeque;
use std::ops::ControlFlow;

use anyhow::{Context as _, bail};
use bench_load::{ArrivalCounter, Opcode, Protocol, RunId, Sink, Template};
use memchr::memmem;

use super::buffer::Buffer;
use super::pipeline::Pipeline;

const CONNECT: &[u8] =
    b"CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"rust\",\"version\":\"1\"}\r\n";
/// The same for a publisher, which sends headers. A client that does not say so gets messages without theirs.
const CONNECT_WITH_HEADERS: &[u8] =
    b"CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"rust\",\"version\":\"1\",\"headers\":true}\r\n";

/// Returns the subject that a user's notifications are published to.
fn subject(user: &str) -> String {
    format!("push.{user}")
}

/// An operation of the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Operation<'a> {
    Info,
    Ping,
    Pong,
    /// A message and its reply subject.
    Message {
        reply: Option<&'a [u8]>,
        payload: &'a [u8],
    },
    Error(String),
    Other,
}

/// Decodes the operation at the front and returns it with its size. Returns `None` until it is complete.
pub(super) fn operation(bytes: &[u8]) -> Option<(Operation<'_>, usize)> {
    let end = memmem::find(bytes, b"\r\n")?;
    let (line, start) = (&bytes[..end], end + 2);
    let operation = match line {
        b"PING" => Operation::Ping,
        b"PONG" => Operation::Pong,
        _ if line.starts_with(b"MSG ") => return message(bytes, line, start),
        _ if line.starts_with(b"INFO ") => Operation::Info,
        _ if line.starts_with(b"-ERR") => Operation::Error(String::from_utf8_lossy(line).into_owned()),
        _ => Operation::Other,
    };
    Some((operation, start))
}

/// Decodes `MSG subject sid [reply] size`, whose payload begins at `start`.
fn message<'a>(bytes: &'a [u8], line: &'a [u8], start: usize) -> Option<(Operation<'a>, usize)> {
    let mut words = line.split(|byte| *byte == b' ').skip(3);
    let (third, fourth) = (words.next(), words.next());
    let (reply, length) = if fourth.is_some() { (third, fourth) } else { (None, third) };
    let Some(length) = length.and_then(|length| std::str::from_utf8(length).ok()?.parse::<usize>().ok())
    else {
        return Some((Operation::Error("a message has no size".to_owned()), start));
    };
    let payload = bytes.get(start..start + length)?;
    bytes.get(start + length..start + length + 2)?;
    Some((Operation::Message { reply, payload }, start + length + 2))
}

/// A subscriber to one subject.
#[derive(Debug)]
pub(crate) struct Subscriber {
    subject: String,
    acknowledge: bool,
    buffer: Buffer,
    open: bool,
}

impl Subscriber {
    /// Creates a subscriber to a user's subject.
    pub(crate) fn new(user: &str) -> Self {
        Self { subject: subject(user), acknowledge: false, buffer: Buffer::default(), open: false }
    }

    /// Creates a subscriber that acknowledges each message.
    pub(super) fn acknowledging(subject: String) -> Self {
        Self { subject, acknowledge: true, buffer: Buffer::default(), open: false }
    }
}

impl Protocol for Subscriber {
    fn opcode(&self) -> Opcode {
        Opcode::Binary
    }

    fn open(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(CONNECT);
        out.extend_from_slice(format!("SUB {} 1\r\nPING\r\n", self.subject).as_bytes());
    }

    fn is_open(&self) -> bool {
        self.open
    }

    fn feed(&mut self, bytes: &[u8], arrivals: &mut ArrivalCounter, out: &mut Vec<u8>) -> ControlFlow<()> {
        let Self { buffer, open, acknowledge, .. } = self;
        let mut flow = ControlFlow::Continue(());
        buffer.feed(bytes, |bytes| {
            let mut at = 0;
            while let Some((operation, length)) = operation(&bytes[at..]) {
                at += length;
                match operation {
                    Operation::Message { reply, payload } => {
                        arrivals.count(payload, |_| {});
                        if let Some(reply) = reply.filter(|_| *acknowledge) {
                            out.extend_from_slice(b"PUB ");
                            out.extend_from_slice(reply);
                            out.extend_from_slice(b" 4\r\n+ACK\r\n");
                        }
                    }
                    Operation::Ping => out.extend_from_slice(b"PONG\r\n"),
                    Operation::Pong => *open = true,
                    Operation::Error(_) => flow = ControlFlow::Break(()),
                    Operation::Info | Operation::Other => {}
                }
            }
            at
        });
        flow
    }
}

/// A publisher for some users. NATS confirms nothing, so a ping follows each batch, and its answer confirms the batch.
#[derive(Debug)]
pub(crate) struct Publisher {
    pipeline: Pipeline,
    /// The operation that publishes to each user.
    operations: Vec<Template>,
    /// Sizes of the batches whose pings are not answered.
    pings: VecDeque<u64>,
}

/// Opens a connection and returns it with its subject for answers.
pub(super) fn connect(host: &str) -> anyhow::Result<(Pipeline, String)> {
    let inbox = format!("_INBOX.{:016x}", rand::random::<u64>());
    let mut pipeline = Pipeline::connect(host)?;
    pipeline.out.extend_from_slice(CONNECT_WITH_HEADERS);
    pipeline.out.extend_from_slice(format!("SUB {inbox} 1\r\nPING\r\n").as_bytes());
    pipeline.send()?;
    let mut open = false;
    while !open {
        pipeline.read(|bytes| {
            let mut used = 0;
            while let Some((operation, length)) = operation(&bytes[used..]) {
                used += length;
                match operation {
                    Operation::Pong => open = true,
                    Operation::Error(error) => bail!("the server reports {error}"),
                    _ => {}
                }
            }
            Ok((used, 0))
        })?;
    }
    Ok((pipeline, inbox))
}

impl Publisher {
    pub(crate) fn connect(
        host: &str,
        run: &RunId,
        users: &[u32],
        payload_bytes: usize,
    ) -> anyhow::Result<Self> {
        let (pipeline, _) = connect(host)?;
        let operation = |&user: &u32| {
            let payload = Template::payload(run, payload_bytes);
            let head = format!("PUB {} {}\r\n", subject(&run.user(user)), payload.len());
            payload.framed(head.as_bytes(), b"\r\n")
        };
        Ok(Self { pipeline, operations: users.iter().map(operation).collect(), pings: VecDeque::new() })
    }

    fn answers(bytes: &[u8], pings: &mut VecDeque<u64>) -> anyhow::Result<(usize, u64)> {
        let (mut used, mut count) = (0, 0);
        while let Some((operation, length)) = operation(&bytes[used..]) {
            used += length;
            match operation {
                Operation::Pong => {
                    count += pings.pop_front().context("the server sent a PONG without a PING")?;
                }
                Operation::Error(error) => bail!("the server reports {error}"),
                _ => {}
            }
        }
        Ok((used, count))
    }
}

impl Sink for Publisher {
    fn write(&mut self, user: usize, time: u64, number: u32) {
        self.pipeline.add(&self.operations[user], time, number);
    }

    fn flush(&mut self) -> anyhow::Result<bool> {
        let Self { pipeline, pings, .. } = self;
        pipeline.out.extend_from_slice(b"PING\r\n");
        pings.push_back(pipeline.pending());
        pipeline.flush(|bytes| Self::answers(bytes, pings))?;
        Ok(true)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        let Self { pipeline, pings, .. } = self;
        pipeline.finish(|bytes| Self::answers(bytes, pings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_decoded_once_complete() {
        let with_reply = b"MSG a.b 1 c.d 5\r\nhello\r\nPING\r\n";
        let message = Operation::Message { reply: Some(b"c.d"), payload: b"hello" };
        assert_eq!(operation(with_reply), Some((message, 24)));
        assert_eq!(operation(&with_reply[24..]), Some((Operation::Ping, 6)));
        let without = b"MSG a.b 1 0\r\n\r\n";
        assert_eq!(operation(without), Some((Operation::Message { reply: None, payload: b"" }, 15)));
        for cut in 0..24 {
            assert_eq!(operation(&with_reply[..cut]), None, "{cut}");
        }
        assert_eq!(operation(b"-ERR 'x'\r\n"), Some((Operation::Error("-ERR 'x'".into()), 10)));
        assert!(matches!(operation(b"MSG a 1 x\r\n"), Some((Operation::Error(_), 11))));
    }

    #[test]
    fn pong_confirms_the_batch_before_its_ping() {
        let mut pings = [3, 4].into();
        assert_eq!(Publisher::answers(b"PONG\r\nPO", &mut pings).unwrap(), (6, 3));
        assert_eq!(Publisher::answers(b"PONG\r\n", &mut pings).unwrap(), (6, 4));
        assert!(Publisher::answers(b"PONG\r\n", &mut pings).is_err());
    }
}
